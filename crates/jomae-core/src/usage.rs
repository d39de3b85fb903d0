//! What keys are used for: first and last use and counts, per key version and per key.
//!
//! Counted in memory, next to the decoded version, and added to the store a little later: no call waits for it, and a
//! crash loses at most what was counted since the last [`Usage::flush`] that came to the version.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use jomae_api::{
    actions::{ACTIONS, metadata::UsageStatistics},
    names::KeyPlace,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::Fault,
    identity::Caller,
    record::{KeyRecord, VersionRecord, path},
    stored::plain_records,
    tx::{CommitOutcome, Tx, Vault},
};

/// Versions whose counts go into one commit; each writes up to two records.
const FLUSHED_PER_COMMIT: usize = 40;
/// How often a commit is tried again when somebody else has written the same counts.
const ATTEMPTS_MAX: u32 = 16;

/// Uses of one version since the last flush.
pub struct UsageCell {
    place: KeyPlace,
    number: u32,
    /// By action, in the order of [`ACTIONS`].
    counts: Vec<AtomicU64>,
    first: AtomicI64,
    last: AtomicI64,
    last_by: Mutex<String>,
    waits: AtomicBool,
}

/// What is stored of the uses of a version, or of a key as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub last_by: String,
    pub counts: BTreeMap<String, u64>,
}

plain_records!(UsageRecord);

/// The cells that have something to flush.
#[derive(Default)]
pub struct Usage(Mutex<VecDeque<Arc<UsageCell>>>);

/// Where a version keeps its cell, once it has been used.
pub type UsageSlot = OnceLock<Arc<UsageCell>>;

impl Usage {
    /// Counts one successful use of a version by an action.
    pub fn note(&self, action: usize, version: &VersionRecord, place: &KeyPlace, caller: &Caller, now: Timestamp) {
        let cell = version.usage.get_or_init(|| {
            Arc::new(UsageCell {
                place: place.clone(),
                number: version.stored.number,
                counts: ACTIONS.iter().map(|_| AtomicU64::new(0)).collect(),
                first: AtomicI64::new(i64::MAX),
                last: AtomicI64::new(0),
                last_by: Mutex::default(),
                waits: AtomicBool::new(false),
            })
        });
        if let Some(count) = cell.counts.get(action) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        cell.first.fetch_min(now.0, Ordering::Relaxed);
        // The name of the last user is as fine as the clock: one write a second, not one a call.
        if cell.last.fetch_max(now.0, Ordering::Relaxed) < now.0 {
            let mut last_by = cell.last_by.lock().unwrap_or_else(PoisonError::into_inner);
            caller.name().clone_into(&mut last_by);
        }
        if !cell.waits.swap(true, Ordering::AcqRel) {
            self.cells().push_back(Arc::clone(cell));
        }
    }

    /// Adds to the store what has been counted for up to `versions_max` key versions, those that have waited longest
    /// first. A service with very many keys in use must not spend its time on counting them.
    pub async fn flush(&self, vault: &Vault, versions_max: usize) -> Result<(), Fault> {
        let mut left = versions_max;
        loop {
            let cells: Vec<Arc<UsageCell>> = {
                let mut all = self.cells();
                let some = all.len().min(FLUSHED_PER_COMMIT).min(left);
                all.drain(..some).collect()
            };
            if cells.is_empty() {
                return Ok(());
            }
            left -= cells.len();
            let taken: Vec<(Arc<UsageCell>, UsageRecord)> =
                cells.into_iter().map(|cell| (Arc::clone(&cell), cell.take())).collect();
            if let Err(fault) = add(vault, &taken).await {
                for (cell, record) in taken {
                    cell.put_back(&record);
                    if !cell.waits.swap(true, Ordering::AcqRel) {
                        self.cells().push_back(cell);
                    }
                }
                return Err(fault);
            }
        }
    }

    fn cells(&self) -> MutexGuard<'_, VecDeque<Arc<UsageCell>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UsageCell {
    /// Takes out what has been counted.
    fn take(&self) -> UsageRecord {
        // First, so that a use counted from here on puts the cell on the list again.
        self.waits.store(false, Ordering::Release);
        let counts = ACTIONS
            .iter()
            .zip(&self.counts)
            .map(|(spec, count)| (spec.name.to_owned(), count.swap(0, Ordering::AcqRel)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let known = |moment: i64| (moment != 0 && moment != i64::MAX).then_some(moment);
        UsageRecord {
            first: known(self.first.load(Ordering::Relaxed)),
            last: known(self.last.load(Ordering::Relaxed)),
            last_by: self.last_by.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            counts,
        }
    }

    fn put_back(&self, record: &UsageRecord) {
        for (spec, count) in ACTIONS.iter().zip(&self.counts) {
            count.fetch_add(record.counts.get(spec.name).copied().unwrap_or(0), Ordering::Relaxed);
        }
    }
}

impl UsageRecord {
    fn merge(&mut self, other: &Self) {
        self.first = [self.first, other.first].into_iter().flatten().min();
        if other.last >= self.last {
            self.last = other.last;
            self.last_by.clone_from(&other.last_by);
        }
        for (action, count) in &other.counts {
            *self.counts.entry(action.clone()).or_default() += count;
        }
    }

    /// As answers show it.
    pub fn statistics(&self) -> UsageStatistics {
        UsageStatistics {
            first_used: self.first.map(Timestamp),
            last_used: self.last.map(Timestamp),
            last_used_by: self.last_by.clone(),
            calls: self.counts.clone(),
        }
    }
}

async fn add(vault: &Vault, taken: &[(Arc<UsageCell>, UsageRecord)]) -> Result<(), Fault> {
    for _ in 0..ATTEMPTS_MAX {
        let mut tx = vault.writing();
        let mut of_keys: BTreeMap<String, (KeyPlace, UsageRecord)> = BTreeMap::new();
        for (cell, record) in taken {
            // A key that was destroyed meanwhile takes its counts with it.
            if tx.get::<KeyRecord>(&path::key(&cell.place))?.is_none() {
                continue;
            }
            merge_into(&mut tx, path::version_usage(&cell.place, cell.number), record)?;
            let at = path::key_usage(&cell.place);
            let (_, of_key) =
                of_keys.entry(at.as_str().to_owned()).or_insert_with(|| (cell.place.clone(), UsageRecord::default()));
            of_key.merge(record);
        }
        for (place, record) in of_keys.into_values() {
            merge_into(&mut tx, path::key_usage(&place), &record)?;
        }
        if tx.commit().await? == CommitOutcome::Done {
            return Ok(());
        }
    }
    Err(Fault::unavailable("the counts of key usage kept changing"))
}

fn merge_into(tx: &mut Tx<'_>, at: crate::store::Path, record: &UsageRecord) -> Result<(), Fault> {
    let mut stored = tx.get::<UsageRecord>(&at)?.map(|stored| (*stored).clone()).unwrap_or_default();
    stored.merge(record);
    tx.put(at, &stored)
}
