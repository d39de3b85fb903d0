//! Decoded records in memory. Whoever has read a record of a commit meets nothing here that is older than the commit.
//!
//! The vault calls [`Cache::hold_back`] while a commit cannot be read yet, and [`Cache::release`] when it has ended.
//! What it changes is dropped by the first, and nothing is kept until the second: what is loaded in between may be of
//! either side. A reader that was loading the old value before must not put it back either: each shard counts its
//! forgettings, and a value is kept only if the count is what it was before the load began.

use std::{
    any::Any,
    collections::{HashMap, VecDeque, hash_map::Entry},
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
    /// How many commits that have not ended change a path, by its hash.
    pending: HashMap<u128, u32, Prehashed>,
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

    /// The record, or leave to keep it when it is loaded; no leave while a commit is changing it.
    pub fn get(&self, path: &str) -> Result<Cached, Option<Ticket>> {
        let (hash, shard) = self.shard(path);
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        match shard.entries.get(&hash) {
            Some(entry) => Ok(entry.cached.clone()),
            None => Err((!shard.pending.contains_key(&hash)).then_some(Ticket(shard.forgettings))),
        }
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

    /// Drops the record of a path that a commit is about to change, and keeps none until the commit has ended.
    pub fn hold_back(&self, path: &str) {
        let (hash, shard) = self.shard(path);
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.forgettings += 1;
        shard.entries.remove(&hash);
        *shard.pending.entry(hash).or_default() += 1;
    }

    /// The commit has ended, one way or the other.
    pub fn release(&self, path: &str) {
        let (hash, shard) = self.shard(path);
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut pending) = shard.pending.entry(hash) {
            *pending.get_mut() -= 1;
            if *pending.get() == 0 {
                pending.remove();
            }
        }
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
        cache.get(path).err().flatten().expect("absent, and no commit under way")
    }

    fn change(cache: &Cache, path: &str) {
        cache.hold_back(path);
        cache.release(path);
    }

    #[test]
    fn a_value_loaded_before_a_change_is_not_kept() {
        let cache = Cache::new(100);
        let before = ticket(&cache, "p");
        change(&cache, "p");
        cache.keep(before, "p", cached(1));
        assert!(cache.get("p").is_err());
        cache.keep(ticket(&cache, "p"), "p", cached(2));
        assert!(cache.get("p").is_ok());
        change(&cache, "p");
        assert!(cache.get("p").is_err());
    }

    #[test]
    fn nothing_is_kept_while_a_commit_is_under_way() {
        let cache = Cache::new(100);
        let before = ticket(&cache, "p");
        cache.hold_back("p");
        cache.hold_back("p");
        cache.keep(before, "p", cached(1));
        assert!(cache.get("p").is_err_and(|ticket| ticket.is_none()));
        assert!(cache.get("q").is_err_and(|ticket| ticket.is_some()), "of another path something may be kept");
        cache.release("p");
        assert!(cache.get("p").is_err_and(|ticket| ticket.is_none()), "the other commit goes on");
        cache.release("p");
        cache.keep(before, "p", cached(1));
        assert!(cache.get("p").is_err(), "loaded before the commits");
        cache.keep(ticket(&cache, "p"), "p", cached(2));
        assert!(cache.get("p").is_ok());
        assert!(cache.shards.iter().all(|shard| shard.read().unwrap().pending.is_empty()));
    }

    #[test]
    fn what_changes_often_is_kept_all_the_same() {
        for entries_max in [1, 640] {
            let cache = Cache::new(entries_max);
            for n in 0..1000 {
                change(&cache, "p");
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
            change(&cache, &path);
        }
        assert!(cache.shards.iter().all(|s| s.read().unwrap().order.len() <= 2 * 10));
    }
}
