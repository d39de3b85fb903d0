//! The memory of nonces: a request is accepted once.
//!
//! A nonce is remembered for as long as its request could be accepted: until its time stamp is out of the window.
//! Entries are 128-bit keyed hashes of access key and nonce, in generations of five minutes that are dropped whole. It
//! never forgets early: when it is full it refuses.
//!
//! Who keeps it over a restart takes its entries and its key, and hands them to the next memory. What a former process
//! has accepted without leaving its entries is told apart by time stamps: up to a moment all of them are refused.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use jomae_api::limits::SKEW_SECS_MAX;
use jomae_crypto::rng;

use crate::hashed::{HashKey, Prehashed, shard};

const SHARDS: usize = 128;
const GENERATION_SECS: i64 = 300;
/// How long after its time stamp a request is still accepted, in seconds.
const TIME_WINDOW_SECS: i64 = SKEW_SECS_MAX.cast_signed();

/// How far ahead of the service's clock a request that it accepts is always taken to be signed, in seconds: a client's
/// clock need only be a little ahead for its second to begin earlier.
pub const AHEAD_SECS_MIN: i64 = 1;
/// How far at most: after a crash nobody waits longer than this because of one client's clock.
pub const AHEAD_SECS_MAX: i64 = 10;

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
    /// Signed so early that a former process may have accepted it, or after the memory was closed.
    PerhapsBefore,
    /// Cannot be remembered, so it must not be accepted.
    MemoryFull,
}

/// Nonces of the requests that could still be replayed.
pub struct NonceMemory {
    shards: Vec<Mutex<VecDeque<Generation>>>,
    key: HashKey,
    entries: AtomicUsize,
    entries_max: usize,
    /// Nothing signed up to this second is accepted.
    unknown_until: AtomicI64,
    /// How far ahead of the clock accepted requests were signed, in seconds.
    ahead_secs: AtomicI64,
    perhaps_before: AtomicU64,
}

struct Generation {
    /// The last moment, in seconds, at which one of its nonces matters.
    until_secs: i64,
    nonces: HashSet<u128, Prehashed>,
}

impl NonceMemory {
    /// A memory of at most `entries_max` nonces, at 19 to 39 bytes each.
    pub fn new(entries_max: usize) -> Self {
        Self::with_key(rng::array(), entries_max)
    }

    /// The same, for entries that were hashed under this key.
    pub fn with_key(key: [u8; 16], entries_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            key: HashKey::new(key),
            entries: AtomicUsize::new(0),
            entries_max,
            unknown_until: AtomicI64::new(i64::MIN),
            ahead_secs: AtomicI64::new(AHEAD_SECS_MIN),
            perhaps_before: AtomicU64::new(0),
        }
    }

    /// The key of the hashes.
    pub const fn key(&self) -> &[u8; 16] {
        self.key.bytes()
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
        // While the shard is locked: whoever closes the memory locks it after this, or before, and then this sees it.
        if signed_at_secs <= self.unknown_until.load(Ordering::Relaxed) && self.is_unknown(signed_at_secs, now_secs) {
            self.perhaps_before.fetch_add(1, Ordering::Relaxed);
            return Seen::PerhapsBefore;
        }
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
        if insert(&mut generations, until_secs, hash) {
            let ahead_secs = signed_at_secs - now_secs;
            if ahead_secs > self.ahead_secs.load(Ordering::Relaxed) {
                self.ahead_secs.fetch_max(ahead_secs.min(AHEAD_SECS_MAX), Ordering::Relaxed);
            }
            return Seen::First;
        }
        self.entries.fetch_sub(1, Ordering::Relaxed);
        Seen::Before
    }

    /// Whether a request that was signed at or before the moment of [`NonceMemory::distrust`] is not to be accepted.
    fn is_unknown(&self, signed_at_secs: i64, now_secs: i64) -> bool {
        let until = self.unknown_until.load(Ordering::Relaxed);
        if until == i64::MAX || until <= now_secs + AHEAD_SECS_MAX {
            return true;
        }
        // The clock has been set back since: by the moment that it meant then, nobody would be served for that long.
        let _ = self.unknown_until.compare_exchange(until, now_secs, Ordering::Relaxed, Ordering::Relaxed);
        signed_at_secs <= now_secs
    }

    /// Accepts nothing that was signed up to this second: a former process may have accepted it.
    pub fn distrust(&self, until_secs: i64) {
        self.unknown_until.fetch_max(until_secs, Ordering::Relaxed);
    }

    /// Accepts nothing any more; what is accepted before this returns is found by [`NonceMemory::try_for_each`].
    pub fn close(&self) {
        self.distrust(i64::MAX);
    }

    /// How many requests were not accepted because a former process may have accepted them.
    pub fn perhaps_before(&self) -> u64 {
        self.perhaps_before.load(Ordering::Relaxed)
    }

    /// How far ahead of the clock accepted requests were signed, in seconds: 1 to 10.
    pub fn ahead_secs(&self) -> i64 {
        self.ahead_secs.load(Ordering::Relaxed)
    }

    /// Hands out everything that can still be replayed: number of the generation and hash, in no order.
    pub fn try_for_each<E>(&self, now_secs: i64, mut each: impl FnMut(u32, u128) -> Result<(), E>) -> Result<(), E> {
        for shard in &self.shards {
            let generations = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for generation in generations.iter().filter(|generation| generation.until_secs >= now_secs) {
                let number = u32::try_from(generation.until_secs / GENERATION_SECS).unwrap_or(0);
                generation.nonces.iter().try_for_each(|hash| each(number, *hash))?;
            }
        }
        Ok(())
    }

    /// Takes what [`NonceMemory::try_for_each`] of a memory with the same key has handed out. Whether there was room.
    pub fn recall(&self, generation: u32, hash: u128, now_secs: i64) -> bool {
        if !is_alive(generation, now_secs) {
            return true;
        }
        let mut generations = self.shards[shard(hash, SHARDS)].lock().unwrap_or_else(PoisonError::into_inner);
        if self.entries.load(Ordering::Relaxed) >= self.entries_max {
            return false;
        }
        if insert(&mut generations, until_secs(generation), hash) {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        true
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

/// Puts a nonce into its generation; whether it is new there.
fn insert(generations: &mut VecDeque<Generation>, until_secs: i64, hash: u128) -> bool {
    let at = generations.partition_point(|generation| generation.until_secs < until_secs);
    if generations.get(at).is_none_or(|generation| generation.until_secs != until_secs) {
        generations.insert(at, Generation { until_secs, nonces: HashSet::default() });
    }
    generations.get_mut(at).is_some_and(|generation| generation.nonces.insert(hash))
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

    #[test]
    fn what_a_former_process_may_have_accepted_is_refused() {
        let memory = NonceMemory::new(1000);
        memory.distrust(NOW + 1);
        assert_eq!(memory.remember("ak", "n", NOW + 1, NOW, true), Seen::PerhapsBefore);
        assert_eq!(memory.remember("ak", "n", NOW + 1, NOW + 900, true), Seen::PerhapsBefore);
        assert_eq!(memory.remember("ak", "n", NOW + 2, NOW + 2, true), Seen::First);
        assert_eq!((memory.perhaps_before(), memory.len()), (2, 1));
        memory.close();
        assert_eq!(memory.remember("ak", "m", NOW + 5, NOW + 5, true), Seen::PerhapsBefore);
        assert_eq!(memory.remember("ak", "m", NOW + 5, NOW + 5, true), Seen::PerhapsBefore);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let memory = NonceMemory::new(1000);
        memory.distrust(NOW + 365 * 86_400);
        assert_eq!(memory.remember("ak", "n", NOW, NOW, true), Seen::PerhapsBefore);
        assert_eq!(memory.remember("ak", "n", NOW + 1, NOW + 1, true), Seen::First);
        assert_eq!(memory.remember("ak", "m", NOW, NOW + 1, true), Seen::PerhapsBefore);
    }

    #[test]
    fn it_is_known_how_far_ahead_clients_are() {
        let memory = NonceMemory::new(1000);
        for (ahead, known) in [(-900, 1), (0, 1), (4, 4), (2, 4), (900, AHEAD_SECS_MAX), (1, AHEAD_SECS_MAX)] {
            assert_eq!(memory.remember("ak", &ahead.to_string(), NOW + ahead, NOW, true), Seen::First);
            assert_eq!(memory.ahead_secs(), known);
        }
    }

    #[test]
    fn no_more_is_recalled_than_there_is_room_for() {
        let memory = NonceMemory::new(2);
        let taken: Vec<bool> = [1, 2, 2, 3].map(|hash| memory.recall(generation(NOW), hash, NOW)).into();
        assert_eq!(taken, [true, true, false, false]);
        assert_eq!(memory.len(), 2);
        assert!(memory.recall(generation(NOW - 3000), 4, NOW), "nobody needs it");
    }

    proptest! {
        /// A memory that takes over what another one has handed out knows what that one knew.
        #[test]
        fn handed_on(
            skews in prop::collection::vec(-900i64..=900, 0..200),
            later in 0i64..2000,
        ) {
            let memory = NonceMemory::new(1000);
            for (n, skew) in skews.iter().enumerate() {
                prop_assert_eq!(memory.remember("ak", &n.to_string(), NOW + skew, NOW, true), Seen::First);
            }
            let next = NonceMemory::with_key(*memory.key(), 1000);
            let handed: Result<(), ()> = memory.try_for_each(NOW, |generation, hash| {
                next.recall(generation, hash, NOW + later).then_some(()).ok_or(())
            });
            prop_assert_eq!(handed, Ok(()));
            for (n, skew) in skews.iter().enumerate() {
                if NOW + skew + TIME_WINDOW_SECS >= NOW + later {
                    prop_assert_eq!(next.remember("ak", &n.to_string(), NOW + skew, NOW + later, true), Seen::Before);
                }
            }
        }

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
