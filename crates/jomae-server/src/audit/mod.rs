//! The audit log of the service: [`jomae_log`] as the sink of the core's events, with a key and a memory in the store.

mod archive;
mod signing_key;
mod start;
mod witness;

#[cfg(test)]
mod sink_tests;
#[cfg(test)]
mod trust_tests;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jomae_api::{actions::trail::lookup_events as wire, time::Timestamp};
use jomae_core::{
    audit::{
        self, Appended, AuditError, AuditSink, Durability, Event, FoundMember, FoundValue,
        lookup::{Found, Page, Query},
    },
    error::Fault,
    store::BoxFuture,
    tx::Vault,
    wait::Work,
};
use jomae_log::{
    AppendStatus, Counts, Log, SyncCallback, TreeHead, WriteError,
    event::{Attribute, FoundBy, Member, Value},
    index,
    witness::Witnesses,
};
use tokio::sync::oneshot;

pub(crate) use self::signing_key::{PATH as KEY_PATH, logs, path_of as key_path, signer, signer_of, verifiers_of_all};
pub use self::{
    archive::open as open_archive,
    signing_key::FormerLog,
    start::{ExamineError, Examined, OpenError, Opened, examine, notes, open, promised},
};
use crate::config;

/// How often the store is told how far the log has come, if it has.
const HEAD_EVERY: Duration = Duration::from_secs(5);

/// The audit log of the service.
pub struct AuditLog {
    log: Arc<Log>,
    /// What the store knows, and since when.
    stored_head: Mutex<Option<(TreeHead, Instant)>>,
}

impl AuditLog {
    fn note_stored(&self, head: TreeHead) {
        *self.stored_head.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, Instant::now()));
    }

    /// Tells the store how far the log has come, if a segment was closed or some seconds have passed since it was told;
    /// to be called every now and then. No call waits for it.
    pub async fn keep_head(&self, vault: &Vault) -> Result<(), Fault> {
        let Some(head) = self.log.head() else { return Ok(()) };
        let rotated = self.log.has_rotated();
        let stored = *self.stored_head.lock().unwrap_or_else(PoisonError::into_inner);
        let due = stored.is_none_or(|(stored, at)| stored != head && (rotated || at.elapsed() >= HEAD_EVERY));
        if due {
            signing_key::keep_head(vault, self.log.verifier(), head, false).await?;
            self.note_stored(head);
        }
        Ok(())
    }

    /// Tells the store where the log ends, once it is closed.
    pub async fn keep_end(&self, vault: &Vault) -> Result<(), Fault> {
        let Some(head) = self.log.head() else { return Ok(()) };
        // What was written last may have no checkpoint.
        signing_key::keep_head(vault, self.log.verifier(), head, self.log.is_covered()).await
    }

    /// What can be watched.
    pub fn counts(&self) -> Counts {
        self.log.counts()
    }

    /// Begins to send checkpoints where the configuration says.
    pub fn send_to_witnesses(&self, config: &config::Audit) -> io::Result<Witnesses> {
        self.log.send_to(witness::of(config)?)
    }

    /// Begins to keep the look-up index up to date, as long as there is the log.
    pub fn keep_indexed(&self) -> io::Result<()> {
        self.log.keep_indexed()
    }

    /// Begins to compress the files of events that are closed, unless that is switched off.
    pub fn keep_compressed(&self) -> io::Result<()> {
        self.log.keep_compressed()
    }

    /// Begins to ship files of events that are closed where the configuration says.
    pub fn keep_archived(&self, config: &config::Audit) -> io::Result<()> {
        let Some(config) = &config.archive else { return Ok(()) };
        let archive = archive::open(config, Some(self.log.dir()))?;
        self.log.keep_archived(archive, Duration::from_secs(config.every_secs))
    }

    /// Writes what is in the buffer, signs it, and ends. What is appended afterwards is refused.
    pub fn close(&self) {
        self.log.close();
    }
}

fn not_written(error: &WriteError) -> AuditError {
    AuditError(error.to_string())
}

impl AuditSink for AuditLog {
    fn is_writable(&self) -> bool {
        self.log.is_writable()
    }

    fn append(&self, event: &Event, durability: Durability) -> Appended<'_> {
        let mut synced = None;
        let callback = || -> SyncCallback {
            let (sender, receiver) = oneshot::channel();
            synced = Some(receiver);
            Box::new(move |result| {
                let _ = sender.send(result);
            })
        };
        let mut room = [NO_VALUE; VALUES_MAX];
        let found_by = event.found_by().and_then(|found_by| told(found_by, &mut room));
        let on_disk = durability == Durability::OnDisk;
        let jomae_log::Appended { index, status } = self.log.append(event.line(), found_by, on_disk, callback);
        let done = match (status, synced) {
            (AppendStatus::Rejected(why), _) => Work::Done(Err(not_written(&why))),
            (AppendStatus::AwaitingSync, Some(synced)) => Work::Later(Box::pin(async move {
                let result = synced.await.unwrap_or_else(|_| Err(WriteError::closed()));
                result.map_err(|why| not_written(&why))
            })),
            (AppendStatus::Buffered | AppendStatus::AwaitingSync, _) => Work::Done(Ok(())),
        };
        Appended { index, done }
    }

    fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, AuditError> {
        self.log.find(event_ids).map_err(|error| AuditError(error.to_string()))
    }

    fn receipt(&self, index: u64, event: &[u8], event_id: &str, now: Timestamp) -> Result<String, AuditError> {
        let receipt = self.log.receipt(index, event, event_id, jomae_log::Timestamp(now.0));
        receipt.map_err(|error| AuditError(error.to_string()))
    }

    fn lookup<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, AuditError>> {
        let (log, query) = (Arc::clone(&self.log), of_log(query));
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || log.lookup(&query)).await;
            let found = found.map_err(|error| AuditError(error.to_string()))?;
            let index::Page { events, more } = found.map_err(|error| AuditError(error.to_string()))?;
            let of_core = |index::Found { number, line }| Found { number, line };
            Ok(Page { events: events.into_iter().map(of_core).collect(), more })
        })
    }
}

/// More values than an event of a call has, as a rule; of an event with more the log reads them itself.
const VALUES_MAX: usize = 24;
const NO_VALUE: Value = Value { member: Member::Account, start: 0, bytes: 0 };

/// What an event is found by, in the log's own terms. `None` if that is more than there is room for.
fn told<'r>(found_by: &audit::FoundBy, room: &'r mut [Value; VALUES_MAX]) -> Option<FoundBy<'r>> {
    let values = room.get_mut(..found_by.values.len())?;
    for (to, FoundValue { member, start, bytes }) in values.iter_mut().zip(&found_by.values) {
        let member = match member {
            FoundMember::Account => Member::Account,
            FoundMember::Attribute(attribute) => Member::Attribute(of_wire(*attribute)),
        };
        *to = Value { member, start: *start, bytes: *bytes };
    }
    Some(FoundBy { time: jomae_log::Timestamp(found_by.time.0), values })
}

const fn of_wire(attribute: wire::Attribute) -> Attribute {
    match attribute {
        wire::Attribute::ServiceName => Attribute::ServiceName,
        wire::Attribute::EventName => Attribute::EventName,
        wire::Attribute::User => Attribute::User,
        wire::Attribute::EventId => Attribute::EventId,
        wire::Attribute::ResourceType => Attribute::ResourceType,
        wire::Attribute::ResourceName => Attribute::ResourceName,
        wire::Attribute::EventRW => Attribute::EventRW,
        wire::Attribute::EventAccessKeyId => Attribute::EventAccessKeyId,
        wire::Attribute::SourceIpAddress => Attribute::SourceIpAddress,
        wire::Attribute::EventType => Attribute::EventType,
        wire::Attribute::RoleName => Attribute::RoleName,
    }
}

/// What is asked, in the log's own terms.
fn of_log(query: &Query) -> index::Query {
    index::Query {
        account: query.account.as_str().to_owned(),
        from: jomae_log::Timestamp(query.from.0),
        to: jomae_log::Timestamp(query.to.0),
        attributes: query.attributes.iter().map(|(name, value)| (of_wire(*name), value.clone())).collect(),
        direction: match query.direction {
            wire::Direction::Backward => index::Direction::Backward,
            wire::Direction::Forward => index::Direction::Forward,
        },
        limit: query.limit,
        after: query.after,
    }
}
