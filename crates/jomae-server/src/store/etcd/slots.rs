//! Commit slots. A commit whose answer is lost must be found out, so every commit marks a key of its own: it puts a
//! mark there and compares that the key is as the last commit in this slot left it. Whoever then puts a fence there, on
//! the same comparison, has made certain that the commit never happens; if the comparison fails, the key says what did.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use jomae_core::store::StoreError;
use jomae_etcd::{
    Client,
    proto::{
        Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyValue, Op, PutRequest, RangeRequest, RequestOp,
        TargetUnion, TxnRequest,
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::open::unix_seconds;

/// Commits that are on their way at one time.
pub(super) const SLOTS: usize = 64;
/// How long a commit waits for a slot before it is given up, unsent.
const SLOT_WAIT: Duration = Duration::from_secs(2);
/// Between attempts to find out, at first and at last.
const SETTLE_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The slots that no commit has.
pub(super) struct Slots {
    free: Mutex<Vec<Slot>>,
    permits: Arc<Semaphore>,
}

struct Slot {
    key: Bytes,
    /// Revision of its key after the last commit; 0: there is none.
    revision: i64,
    uses: u64,
}

/// A slot in use. Dropped, it is free again, so it must be settled.
pub(super) struct Taken {
    slot: Option<Slot>,
    slots: Arc<Slots>,
    _permit: OwnedSemaphorePermit,
}

/// How a commit ended whose answer was lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Done(i64),
    /// It did not happen, and cannot any more.
    NotDone,
    /// Somebody has removed the slot: nobody can know.
    Gone,
}

impl Slots {
    pub(super) fn new(keys: impl Iterator<Item = Bytes>) -> Arc<Self> {
        let free: Vec<Slot> = keys.map(|key| Slot { key, revision: 0, uses: 0 }).collect();
        let permits = Arc::new(Semaphore::new(free.len()));
        Arc::new(Self { free: Mutex::new(free), permits })
    }

    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, StoreError> {
        let none = || StoreError::Unavailable("too many commits are on their way".to_owned());
        let waited = timeout(SLOT_WAIT, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = waited.map_err(|_| none())?.map_err(|_| none())?;
        let slot = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let slot = Some(slot.ok_or_else(none)?);
        Ok(Taken { slot, slots: Arc::clone(self), _permit: permit })
    }

    /// Waits until every commit has ended, and takes no more.
    pub(super) async fn close(&self) {
        let _all = self.permits.acquire_many(u32::try_from(SLOTS).unwrap_or(u32::MAX)).await;
        self.permits.close();
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.permits.available_permits()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.slots.free.lock().unwrap_or_else(PoisonError::into_inner).extend(self.slot.take());
    }
}

impl Taken {
    /// A mark that no other commit in this slot has.
    pub(super) fn mark(&mut self) -> Bytes {
        let uses = self.slot.as_mut().map_or(0, |slot| {
            slot.uses += 1;
            slot.uses
        });
        format!("{uses} {}", unix_seconds()).into()
    }

    pub(super) fn key(&self) -> Bytes {
        self.slot.as_ref().map(|slot| slot.key.clone()).unwrap_or_default()
    }

    pub(super) fn revision(&self) -> i64 {
        self.slot.as_ref().map_or(0, |slot| slot.revision)
    }

    /// Its key has this revision now.
    pub(super) fn left_at(&mut self, revision: i64) {
        if let Some(slot) = &mut self.slot {
            slot.revision = revision;
        }
    }

    /// Finds out how the commit with this mark ended, however long it takes.
    pub(super) async fn settle(&mut self, client: &Client, mark: &Bytes) -> Settled {
        let fence: Bytes = [mark.as_ref(), b" void"].concat().into();
        let (mut pause, longest) = SETTLE_PAUSE;
        loop {
            let request = TxnRequest {
                compare: vec![equals(self.key(), self.revision())],
                success: vec![put(self.key(), fence.clone())],
                failure: vec![get(self.key())],
            };
            match client.txn(request).await {
                Ok(answer) if answer.succeeded => {
                    self.left_at(answer.header.map_or(0, |header| header.revision));
                    return Settled::NotDone;
                }
                Ok(answer) => {
                    let found = answer.responses.into_iter().next().and_then(first);
                    self.left_at(found.as_ref().map_or(0, |kv| kv.mod_revision));
                    return match found {
                        Some(kv) if kv.value == *mark => Settled::Done(kv.mod_revision),
                        // A fence whose own answer was lost.
                        Some(kv) if kv.value == fence => Settled::NotDone,
                        _ => Settled::Gone,
                    };
                }
                Err(error) => tracing::warn!(%error, "the outcome of a commit is not known yet"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// When a slot's value was put, in Unix seconds.
pub(super) fn used_at(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.split(' ').nth(1)?.parse().ok()
}

/// That a key's last change was at this revision; 0: that it does not exist.
pub(super) fn equals(key: Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Mod.into(),
        key,
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::ModRevision(revision)),
    }
}

pub(super) fn exists(key: Bytes) -> Compare {
    Compare { result: CompareResult::Greater.into(), ..equals(key, 0) }
}

pub(super) fn put(key: Bytes, value: Bytes) -> RequestOp {
    Op::Put(PutRequest { key, value }).into()
}

pub(super) fn delete(key: Bytes, range_end: Bytes) -> RequestOp {
    Op::Delete(DeleteRangeRequest { key, range_end }).into()
}

pub(super) fn get(key: Bytes) -> RequestOp {
    Op::Range(RangeRequest { key, ..RangeRequest::default() }).into()
}

/// The first key of a range's answer.
pub(super) fn first(response: jomae_etcd::proto::ResponseOp) -> Option<KeyValue> {
    match response.response {
        Some(jomae_etcd::proto::OpResponse::Range(range)) => range.kvs.into_iter().next(),
        _ => None,
    }
}
