//! Decoded records in memory, dropped in the same step as the commit that changes them.
//!
//! The store calls [`Cache::forget`] after a commit is durable and before it is answered. A reader that was loading
//! the old value at that moment must not put it back: each shard counts its forgettings, and a value is kept only if
//! the count is what it was before the load began.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    hashed::{HashKey, Prehashed, shard},
    store::Revision,
};

const SHARDS: usize = 64;

/// A decoded record and the revision at which it was read.
#[derive(Clone)]
pub struct Cached {
    pub record: Arc<dyn Any + Send + Sync>,
    pub revision: Revision,
}

/// A bounded map from path to decoded record; the oldest entries give way.
pub struct Cache {
    shards: Vec<RwLock<Shard>>,
    key: HashKey,
    shard_entries_max: usize,
}

#[derive(Default)]
struct Shard {
    /// By the hash of the path.
    entries: HashMap<u128, Numbered, Prehashed>,
    /// Hashes by the time of their keeping, with the number of that keeping: a path that was forgotten and kept again
    /// stands here twice, and only the later one counts.
    order: VecDeque<(u128, u64)>,
    keepings: u64,
    forgettings: u64,
}

struct Numbered {
    cached: Cached,
    keeping: u64,
}

/// Leave to keep what is loaded now, unless it changes meanwhile.
#[derive(Clone, Copy)]
pub struct Ticket(u64);

impl Cache {
    /// A cache of about `entries_max` records.
    pub fn new(entries_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            key: HashKey::random(),
            shard_entries_max: entries_max.div_ceil(SHARDS).max(1),
        }
    }

    fn shard(&self, path: &str) -> (u128, &RwLock<Shard>) {
        let hash = self.key.hash(&[path]);
        (hash, &self.shards[shard(hash, SHARDS)])
    }

    /// The record, or leave to load it.
    pub fn get(&self, path: &str) -> Result<Cached, Ticket> {
        let (hash, shard) = self.shard(path);
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        shard.entries.get(&hash).map(|entry| entry.cached.clone()).ok_or(Ticket(shard.forgettings))
    }

    /// Keeps what was loaded under a ticket, unless its shard has forgotten anything since.
    pub fn keep(&self, ticket: Ticket, path: &str, loaded: Cached) {
        let (hash, shard) = self.shard(path);
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.forgettings != ticket.0 {
            return;
        }
        shard.keepings += 1;
        let keeping = shard.keepings;
        shard.entries.insert(hash, Numbered { cached: loaded, keeping });
        shard.order.push_back((hash, keeping));
        shard.shrink(self.shard_entries_max);
    }

    /// Drops the record of a path that has changed.
    pub fn forget(&self, path: &str) {
        let (hash, shard) = self.shard(path);
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.forgettings += 1;
        shard.entries.remove(&hash);
    }

    /// How many records are held.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).entries.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    /// Drops the oldest entries over the limit, and what is left in the order of entries that are gone.
    fn shrink(&mut self, entries_max: usize) {
        while self.entries.len() > entries_max || self.order.len() > 2 * entries_max {
            let Some((hash, keeping)) = self.order.pop_front() else { break };
            let is_current = self.entries.get(&hash).is_some_and(|entry| entry.keeping == keeping);
            if is_current && self.entries.len() > entries_max {
                self.entries.remove(&hash);
            } else if is_current {
                self.order.push_back((hash, keeping));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(value: u32) -> Cached {
        Cached { record: Arc::new(value), revision: Revision(1) }
    }

    fn ticket(cache: &Cache, path: &str) -> Ticket {
        cache.get(path).err().expect("absent")
    }

    #[test]
    fn a_value_loaded_before_a_change_is_not_kept() {
        let cache = Cache::new(100);
        let before = ticket(&cache, "p");
        cache.forget("p");
        cache.keep(before, "p", cached(1));
        assert!(cache.get("p").is_err());
        cache.keep(ticket(&cache, "p"), "p", cached(2));
        assert!(cache.get("p").is_ok());
        cache.forget("p");
        assert!(cache.get("p").is_err());
    }

    #[test]
    fn what_changes_often_is_kept_all_the_same() {
        for entries_max in [1, 640] {
            let cache = Cache::new(entries_max);
            for n in 0..1000 {
                cache.forget("p");
                cache.keep(ticket(&cache, "p"), "p", cached(n));
                assert!(cache.get("p").is_ok(), "{n}");
            }
            assert_eq!(cache.len(), 1);
        }
    }

    #[test]
    fn stays_bounded() {
        let cache = Cache::new(640);
        for n in 0..10_000 {
            let path = format!("p{n}");
            cache.keep(ticket(&cache, &path), &path, cached(n));
        }
        assert!(cache.len() <= 640);
        for n in 0..10_000 {
            let path = format!("q{n}");
            cache.keep(ticket(&cache, &path), &path, cached(n));
            cache.forget(&path);
        }
        assert!(cache.shards.iter().all(|s| s.read().unwrap().order.len() <= 2 * 10));
    }
}
