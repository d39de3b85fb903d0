//! What keys are used for: first and last use and counts, per key version and per key.
//!
//! Counted in memory, next to the decoded version, and added to the store a little later: no call waits for it, and a
//! crash loses at most what was counted since the last [`Usage::flush`] that came to the version.

pub mod cell;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jomae_api::{names::KeyPlace, time::Timestamp};

use self::cell::{UsageCell, UsageRecord};
use crate::{
    error::Fault,
    identity::caller::Caller,
    record::{KeyRecord, VersionRecord, path},
    store::Path,
    tx::{CommitOutcome, Tx, Vault},
};

/// Versions whose counts go into one commit; each writes up to two records.
const FLUSHED_PER_COMMIT: usize = 40;
/// How often a commit is tried again when somebody else has written the same counts.
const ATTEMPTS_MAX: u32 = 16;

/// The cells that have something to flush.
#[derive(Default)]
pub struct Usage(Mutex<VecDeque<Arc<UsageCell>>>);

impl Usage {
    /// Counts one successful use of a version by an action.
    pub fn note(&self, action: usize, version: &VersionRecord, place: &KeyPlace, caller: &Caller, now: Timestamp) {
        let cell = version.usage.get_or_init(|| Arc::new(UsageCell::new(place.clone(), version.stored.number)));
        cell.count(action, caller.name(), now);
        if cell.begins_to_wait() {
            self.cells().push_back(Arc::clone(cell));
        }
    }

    /// Adds to the store what has been counted for up to `versions_max` key versions, those that have waited longest
    /// first. A service with very many keys in use must not spend its time on counting them; nor one with a single key that
    /// is used again during each commit, so a version that comes to wait meanwhile waits for the next flush.
    pub async fn flush(&self, vault: &Vault, versions_max: usize) -> Result<(), Fault> {
        let mut left = self.cells().len().min(versions_max);
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
                    if cell.begins_to_wait() {
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

fn merge_into(tx: &mut Tx<'_>, at: Path, record: &UsageRecord) -> Result<(), Fault> {
    let mut stored = tx.get::<UsageRecord>(&at)?.map(|stored| (*stored).clone()).unwrap_or_default();
    stored.merge(record);
    tx.put(at, &stored)
}
