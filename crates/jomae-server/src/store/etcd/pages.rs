//! All records of one moment, read from etcd a page at a time.

use std::{collections::BTreeMap, sync::mpsc, time::Duration, vec};

use bytes::Bytes;
use jomae_core::store::{Entry, Path, Revision, StoreError, VALUE_BYTES_MAX};
use jomae_etcd::{
    ANSWER_BYTES_MAX, Client, Error,
    proto::{KeyValue, RangeRequest},
};
use tokio::runtime::Handle;

use super::{keys::Keys, replica::Records};

/// So many of the largest records fit into an answer.
const PAGE_RECORDS_MIN: i64 = 64;
/// etcd counts all that follows for every page, so few pages are better than many.
const PAGE_RECORDS_MAX: i64 = 32_768;
/// How large a page is to be, judging by the one before.
const PAGE_BYTES: usize = 12 * 1024 * 1024;
/// For a page: to count some millions of records takes etcd seconds.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

const _: () = assert!(64 * (VALUE_BYTES_MAX + 4096) < ANSWER_BYTES_MAX);

/// Records between two lines of progress in the log.
const PROGRESS_RECORDS: usize = 100_000;

/// Why there is no page.
pub(super) enum Failure {
    Etcd(Error),
    /// A key or value that is none of ours.
    Damaged(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Etcd(error) => Self::Unavailable(error.to_string()),
            Failure::Damaged(error) => error,
        }
    }
}

/// Reads page after page, all as of the moment of the first.
pub(super) struct Pages {
    client: Client,
    keys: Keys,
    /// 0 before the first page.
    moment: i64,
    from: Bytes,
    end: Bytes,
    limit: i64,
    ended: bool,
}

impl Pages {
    pub(super) fn new(client: &Client, keys: &Keys) -> Self {
        let (from, end) = keys.records();
        let (client, keys) = (client.clone(), keys.clone());
        Self { client, keys, moment: 0, from, end, limit: PAGE_RECORDS_MIN, ended: false }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<(Path, Entry)>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let page = loop {
            let request = RangeRequest {
                key: self.from.clone(),
                range_end: self.end.clone(),
                limit: self.limit,
                revision: self.moment,
                ..RangeRequest::default()
            };
            match self.client.range_within(request, PAGE_TIMEOUT).await {
                Err(Error::TooLarge) if self.limit > PAGE_RECORDS_MIN => self.limit = PAGE_RECORDS_MIN,
                answer => break answer.map_err(Failure::Etcd)?,
            }
        };
        if self.moment == 0 {
            self.moment = page.header.map_or(0, |header| header.revision);
        }
        self.ended = !page.more;
        if let Some(last) = page.kvs.last() {
            self.from = [last.key.as_ref(), &[0]].concat().into();
        }
        let bytes: usize = page.kvs.iter().map(|kv| kv.key.len() + kv.value.len()).sum();
        let fitting = PAGE_BYTES * page.kvs.len() / bytes.max(1);
        self.limit = i64::try_from(fitting).unwrap_or(PAGE_RECORDS_MAX).clamp(PAGE_RECORDS_MIN, PAGE_RECORDS_MAX);
        let records = page.kvs.into_iter().map(|kv| record(&self.keys, kv)).collect::<Result<_, _>>();
        records.map(Some).map_err(Failure::Damaged)
    }

    /// All pages, with the revision of the newest commit among them.
    pub(super) async fn everything(mut self) -> Result<Records, Failure> {
        let mut entries = BTreeMap::new();
        let mut next_line = PROGRESS_RECORDS;
        while let Some(page) = self.next().await? {
            entries.extend(page);
            if entries.len() >= next_line {
                tracing::info!(records = entries.len(), "reading the store from etcd");
                next_line += PROGRESS_RECORDS;
            }
        }
        let request = RangeRequest { key: self.keys.head(), revision: self.moment, ..RangeRequest::default() };
        let head = self.client.range(request).await.map_err(Failure::Etcd)?;
        let Some(head) = head.kvs.first() else { return Err(Failure::Damaged(no_head(&self.keys))) };
        Ok(Records { entries, revision: head.mod_revision.unsigned_abs(), moment: self.moment.unsigned_abs() })
    }
}

pub(super) fn no_head(keys: &Keys) -> StoreError {
    StoreError::Damaged(format!("the key \"{}/head\" is missing", keys.prefix()))
}

/// The record that a key and its value stand for.
pub(super) fn record(keys: &Keys, kv: KeyValue) -> Result<(Path, Entry), StoreError> {
    let path = keys.path(&kv.key)?;
    if kv.value.len() > VALUE_BYTES_MAX {
        return Err(StoreError::Damaged(format!("the value of the record \"{path}\" is too large")));
    }
    Ok((path, Entry { value: kv.value.into(), revision: Revision(kv.mod_revision.unsigned_abs()) }))
}

type Fetched = (Result<Option<Vec<(Path, Entry)>>, Failure>, Pages);

/// The pages as an iterator for any thread but the runtime's own: while one page is used, the next is on its way.
pub(super) struct SnapshotRows {
    runtime: Handle,
    fetched: Option<mpsc::Receiver<Fetched>>,
    page: vec::IntoIter<(Path, Entry)>,
}

impl SnapshotRows {
    /// Waits for the first page, whose moment is the snapshot's.
    pub(super) fn begin(runtime: &Handle, pages: Pages) -> Result<Self, StoreError> {
        let fetched = Some(fetch(runtime, pages));
        let mut rows = Self { runtime: runtime.clone(), fetched, page: Vec::new().into_iter() };
        rows.advance()?;
        Ok(rows)
    }

    /// Takes the page that was asked for, and asks for the one after it.
    fn advance(&mut self) -> Result<bool, StoreError> {
        let Some(fetched) = self.fetched.take() else { return Ok(false) };
        let closed = |_| StoreError::Unavailable("the store is closed".to_owned());
        let (page, pages) = fetched.recv().map_err(closed)?;
        let Some(page) = page? else { return Ok(false) };
        self.page = page.into_iter();
        self.fetched = Some(fetch(&self.runtime, pages));
        Ok(true)
    }
}

fn fetch(runtime: &Handle, mut pages: Pages) -> mpsc::Receiver<Fetched> {
    let (sender, fetched) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        let page = pages.next().await;
        // Nobody listens if the snapshot was dropped.
        let _ = sender.send((page, pages));
    });
    fetched
}

impl Iterator for SnapshotRows {
    type Item = Result<(Path, Entry), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
