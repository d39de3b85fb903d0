//! When access keys were last used: noted in memory, to the minute, and written a little later.
//!
//! No call waits for it, and a crash loses at most what was noted since the last [`LastUsed::flush`].

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use super::record::{LastUsedRecord, path as ram_path};
use crate::{
    prelude::*,
    record::{AccessKeyRecord, path},
    tx::{CommitOutcome, Vault},
};

/// A use so soon after the noted one is not noted.
const GRANULARITY_SECS: i64 = 60;
/// Access keys that go into one commit; each is read twice and written once.
const FLUSHED_PER_COMMIT: usize = 40;
/// How often a commit is tried again when somebody else has written the same records.
const ATTEMPTS_MAX: u32 = 16;

/// Uses that are not yet written, by the ID of the access key.
#[derive(Default)]
pub struct LastUsed(Mutex<BTreeMap<String, Use>>);

struct Use {
    account: AccountId,
    at: i64,
    service: &'static str,
}

impl LastUsed {
    /// Notes that an access key has signed a call to a service (`Kms`, `Ram`, …). Costs one read of memory unless the last note is a minute old.
    pub fn note(&self, record: &AccessKeyRecord, id: &str, service: &'static str, now: Timestamp) {
        let noted = record.noted.load(Ordering::Relaxed);
        if now.0.saturating_sub(noted) < GRANULARITY_SECS {
            return;
        }
        // Of many calls at once one notes it.
        if record.noted.compare_exchange(noted, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.uses().insert(id.to_owned(), Use { account: record.stored.account.clone(), at: now.0, service });
        }
    }

    /// Writes what has been noted. What cannot be written is kept for the next time.
    pub async fn flush(&self, vault: &Vault) -> Result<(), Fault> {
        loop {
            let some: Vec<(String, Use)> = {
                let mut uses = self.uses();
                (0..FLUSHED_PER_COMMIT).map_while(|_| uses.pop_first()).collect()
            };
            if some.is_empty() {
                return Ok(());
            }
            if let Err(fault) = write(vault, &some).await {
                let mut uses = self.uses();
                for (id, used) in some {
                    uses.entry(id).or_insert(used);
                }
                return Err(fault);
            }
        }
    }

    fn uses(&self) -> MutexGuard<'_, BTreeMap<String, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(vault: &Vault, uses: &[(String, Use)]) -> Result<(), Fault> {
    for _ in 0..ATTEMPTS_MAX {
        let mut tx = vault.writing();
        for (id, used) in uses {
            // An access key that was deleted meanwhile takes its last use with it.
            if tx.get::<AccessKeyRecord>(&path::access_key(id))?.is_none() {
                continue;
            }
            let at = ram_path::last_used(&used.account, id);
            // Another process may have seen a later one.
            if tx.get::<LastUsedRecord>(&at)?.is_none_or(|stored| stored.at < used.at) {
                tx.put(at, &LastUsedRecord { at: used.at, service: used.service.to_owned() })?;
            }
        }
        if tx.commit().await? == CommitOutcome::Done {
            return Ok(());
        }
    }
    Err(Fault::unavailable("the last uses of access keys kept changing"))
}
