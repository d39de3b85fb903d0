//! The memory of nonces: a request is accepted once.
//!
//! A nonce is remembered for as long as its request could be accepted: until its time stamp is out of the window.
//! Entries are 128-bit keyed hashes of access key and nonce, in generations of five minutes that are dropped whole. It
//! never forgets early: when it is full it refuses.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use jomae_api::limits::SKEW_SECS_MAX;

use crate::hashed::{HashKey, Prehashed, shard};

const SHARDS: usize = 128;
const GENERATION_SECS: i64 = 300;
/// How long after its time stamp a request is still accepted, in seconds.
const TIME_WINDOW_SECS: i64 = SKEW_SECS_MAX.cast_signed();

/// Generations that can be alive at a time: the time stamps that are accepted lie within two windows.
pub const LIVE_GENERATIONS_MAX: usize = 8;

/// The number of the generation to which a nonce signed then belongs; numbers follow each other in time.
pub fn generation(signed_at_secs: i64) -> u32 {
    u32::try_from((signed_at_secs + TIME_WINDOW_SECS).div_euclid(GENERATION_SECS) + 1).unwrap_or(0)
}

/// Whether nonces of a generation can still be replayed.
pub fn is_alive(generation: u32, now_secs: i64) -> bool {
    until_secs(generation) >= now_secs
}

/// The last moment, in seconds, at which a nonce of the generation matters.
fn until_secs(generation: u32) -> i64 {
    i64::from(generation) * GENERATION_SECS
}

/// What is known of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    First,
    Before,
    /// Cannot be remembered, so it must not be accepted.
    MemoryFull,
}

/// Nonces of the requests that could still be replayed.
pub struct NonceMemory {
    shards: Vec<Mutex<VecDeque<Generation>>>,
    key: HashKey,
    entries: AtomicUsize,
    entries_max: usize,
}

struct Generation {
    /// The last moment, in seconds, at which one of its nonces matters.
    until_secs: i64,
    nonces: HashSet<u128, Prehashed>,
}

impl NonceMemory {
    /// A memory of at most `entries_max` nonces, at 19 to 39 bytes each.
    pub fn new(entries_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            key: HashKey::random(),
            entries: AtomicUsize::new(0),
            entries_max,
        }
    }

    /// Notes the nonce of a request that was signed at `signed_at_secs`, if there is room: in all, and `in_share`, in what
    /// the account may have of it.
    pub fn remember(
        &self,
        access_key_id: &str,
        nonce: &str,
        signed_at_secs: i64,
        now_secs: i64,
        in_share: bool,
    ) -> Seen {
        let hash = self.key.hash(&[access_key_id, nonce]);
        let mut generations = self.shards[shard(hash, SHARDS)].lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = generations.front()
            && oldest.until_secs < now_secs
        {
            self.entries.fetch_sub(oldest.nonces.len(), Ordering::Relaxed);
            generations.pop_front();
        }
        let until_secs = until_secs(generation(signed_at_secs));
        // Its own generation is looked into by the insertion below, once.
        let mut others = generations.iter().filter(|generation| generation.until_secs != until_secs);
        if others.any(|generation| generation.nonces.contains(&hash)) {
            return Seen::Before;
        }
        if self.entries.fetch_add(1, Ordering::Relaxed) >= self.entries_max || !in_share {
            self.entries.fetch_sub(1, Ordering::Relaxed);
            let known = generations.iter().any(|generation| generation.nonces.contains(&hash));
            return if known { Seen::Before } else { Seen::MemoryFull };
        }
        let at = generations.partition_point(|generation| generation.until_secs < until_secs);
        if generations.get(at).is_none_or(|generation| generation.until_secs != until_secs) {
            generations.insert(at, Generation { until_secs, nonces: HashSet::default() });
        }
        if generations.get_mut(at).is_some_and(|generation| generation.nonces.insert(hash)) {
            return Seen::First;
        }
        self.entries.fetch_sub(1, Ordering::Relaxed);
        Seen::Before
    }

    /// Drops what can no longer be replayed, also in shards that no request touches.
    pub fn sweep(&self, now_secs: i64) {
        for shard in &self.shards {
            let mut generations = shard.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(oldest) = generations.front()
                && oldest.until_secs < now_secs
            {
                self.entries.fetch_sub(oldest.nonces.len(), Ordering::Relaxed);
                generations.pop_front();
            }
        }
    }

    /// How many nonces it can remember.
    pub fn entries_max(&self) -> usize {
        self.entries_max
    }

    /// After how many seconds a memory that is full may have room: when the next generation ends.
    pub const fn room_in_secs(now_secs: i64) -> i64 {
        GENERATION_SECS - now_secs.rem_euclid(GENERATION_SECS)
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_replay_is_seen_for_as_long_as_it_could_be_accepted() {
        for skew in [-TIME_WINDOW_SECS, 0, TIME_WINDOW_SECS] {
            let memory = NonceMemory::new(1000);
            let signed_at = NOW + skew;
            assert_eq!(memory.remember("ak", "n", signed_at, NOW, true), Seen::First);
            for later in NOW..=signed_at + TIME_WINDOW_SECS {
                memory.sweep(later);
                assert_eq!(memory.remember("ak", "n", signed_at, later, true), Seen::Before, "{skew} {later}");
            }
        }
    }

    #[test]
    fn generations_that_are_alive_have_places_of_their_own() {
        for now in NOW..NOW + GENERATION_SECS {
            let numbers = generation(now - TIME_WINDOW_SECS)..=generation(now + TIME_WINDOW_SECS);
            assert!(numbers.clone().count() <= LIVE_GENERATIONS_MAX);
            assert!(numbers.clone().all(|number| is_alive(number, now)));
        }
        assert!(!is_alive(generation(NOW), NOW + TIME_WINDOW_SECS + GENERATION_SECS + 1));
    }

    #[test]
    fn memory_is_given_back() {
        let memory = NonceMemory::new(1000);
        for n in 0..1000 {
            assert_eq!(memory.remember("ak", &n.to_string(), NOW, NOW, true), Seen::First);
        }
        assert_eq!(memory.remember("ak", "one more", NOW, NOW, true), Seen::MemoryFull);
        assert_eq!(memory.remember("ak", "7", NOW, NOW, true), Seen::Before);
        memory.sweep(NOW + TIME_WINDOW_SECS + GENERATION_SECS + 1);
        assert_eq!(memory.len(), 0);
        assert_eq!(memory.remember("ak", "one more", NOW, NOW, true), Seen::First);
    }

    proptest! {
        /// The memory says `Before` exactly when a plain set of (access key, nonce) does.
        #[test]
        fn exact(calls in prop::collection::vec((0u8..3, 0u8..20, -900i64..=900, 0i64..400), 1..300)) {
            let memory = NonceMemory::new(usize::MAX);
            let mut model: HashMap<(u8, u8), i64> = HashMap::new();
            let mut now = NOW;
            for (key, nonce, skew, step) in calls {
                now += step;
                let seen = memory.remember(&key.to_string(), &nonce.to_string(), now + skew, now, true);
                match model.get(&(key, nonce)) {
                    Some(until) if *until >= now => prop_assert_eq!(seen, Seen::Before),
                    // Up to one generation longer than needed is allowed.
                    Some(until) if until + GENERATION_SECS >= now => {}
                    _ => prop_assert_eq!(seen, Seen::First),
                }
                if seen == Seen::First {
                    model.insert((key, nonce), now + skew + TIME_WINDOW_SECS);
                }
            }
        }
    }
}
