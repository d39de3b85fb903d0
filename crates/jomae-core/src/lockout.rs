//! Guessing at the secret of an access key from one place is stopped, for that place alone.
//!
//! Wrong signatures are counted for each pair of access key and source network (an IPv4 address, an IPv6 /64). After
//! [`FAILURES_MAX`] within [`WINDOW_SECS`], that network is refused for that key without a look at the signature,
//! longer each time. Nobody elsewhere notices: a stranger cannot lock a user out. Nor can a stranger who shares the
//! user's address: a network from which the key has signed rightly within [`KNOWN_SECS`] is never locked.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jomae_api::time::Timestamp;

use crate::{
    hashed::{HashKey, shard},
    network,
};

/// Wrong signatures within the window that lock a network out.
pub const FAILURES_MAX: u32 = 10;
/// How long a wrong signature counts, in seconds.
pub const WINDOW_SECS: i64 = 300;
/// The first lock, in seconds; each further one lasts twice as long.
pub const FIRST_LOCK_SECS: i64 = 60;
/// The longest lock, in seconds.
pub const LOCK_SECS_MAX: i64 = 3600;
/// How long a network is known after a right signature, in seconds.
pub const KNOWN_SECS: i64 = 86_400;

const SHARDS: usize = 64;
/// Pairs that are remembered in each shard. The least recently touched give way.
const SHARD_PAIRS_MAX: usize = 2048;
/// How often a right signature is noted at most, in seconds.
const KNOWN_AGAIN_SECS: i64 = 60;

/// What locks out, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Mistakes within the window that lock out.
    pub failures_max: u32,
    /// How long a mistake counts, in seconds.
    pub window_secs: i64,
    /// The first lock, in seconds; each further one lasts twice as long.
    pub first_lock_secs: i64,
    /// The longest lock, in seconds.
    pub lock_secs_max: i64,
    /// Whether a place where all was right within [`KNOWN_SECS`] is never locked. Right where nobody can guess the secret
    /// however often they try.
    pub trusts_known: bool,
}

impl Rule {
    /// For signatures of access keys, whose secrets have 178 bits.
    pub const SIGNATURES: Self = Self {
        failures_max: FAILURES_MAX,
        window_secs: WINDOW_SECS,
        first_lock_secs: FIRST_LOCK_SECS,
        lock_secs_max: LOCK_SECS_MAX,
        trusts_known: true,
    };
}

/// What is known of access keys, or people, and networks. Bounded; lost at a restart.
pub struct Lockout {
    rule: Rule,
    shards: Vec<Mutex<Shard>>,
    key: HashKey,
    locks: AtomicU64,
}

#[derive(Default)]
struct Shard {
    pairs: BTreeMap<u128, Pair>,
}

/// An access key and a network, by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceId(u128);

#[derive(Clone, Copy, Default)]
struct Pair {
    failures: u32,
    /// When the failures began to count.
    since: i64,
    locks: u32,
    locked_until: i64,
    known_until: i64,
    touched: i64,
}

impl Default for Lockout {
    fn default() -> Self {
        Self::new(Rule::SIGNATURES)
    }
}

impl Lockout {
    /// Nobody is locked out yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            key: HashKey::random(),
            locks: AtomicU64::new(0),
        }
    }

    /// An access key together with the network that a request for it comes from.
    pub fn place(&self, access_key_id: &str, source_ip: &str) -> SourceId {
        self.place_of(&[access_key_id, "\0", &network::of(source_ip)])
    }

    /// A place of another kind, by the parts of its name.
    pub fn place_of(&self, parts: &[&str]) -> SourceId {
        SourceId(self.key.hash(parts))
    }

    fn shard(&self, SourceId(hash): SourceId) -> MutexGuard<'_, Shard> {
        self.shards[shard(hash, SHARDS)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a network was locked out of an access key, since the start.
    pub fn locks(&self) -> u64 {
        self.locks.load(Ordering::Relaxed)
    }

    /// Whether a signature from there is looked at.
    pub fn admits(&self, place: SourceId, now: Timestamp) -> bool {
        self.locked_secs(place, now).is_none()
    }

    /// For how many seconds no signature from there will be looked at. None: it is looked at.
    pub fn locked_secs(&self, place: SourceId, now: Timestamp) -> Option<i64> {
        let shard = self.shard(place);
        let trusted = |pair: &Pair| self.rule.trusts_known && pair.known_until > now.0;
        let pair = shard.pairs.get(&place.0).filter(|pair| !trusted(pair))?;
        (pair.locked_until > now.0).then(|| pair.locked_until - now.0)
    }

    /// Whether all was right there within [`KNOWN_SECS`].
    pub fn is_known(&self, place: SourceId, now: Timestamp) -> bool {
        self.shard(place).pairs.get(&place.0).is_some_and(|pair| pair.known_until > now.0)
    }

    /// Notes a right signature.
    pub fn succeeded(&self, place: SourceId, now: Timestamp) {
        let mut shard = self.shard(place);
        if let Some(pair) = shard.pairs.get(&place.0)
            && pair.known_until > now.0 + KNOWN_SECS - KNOWN_AGAIN_SECS
            && pair.failures == 0
        {
            return;
        }
        shard.note(place.0, now, |pair| *pair = Pair { known_until: now.0 + KNOWN_SECS, ..Pair::default() });
    }

    /// Notes a wrong signature.
    pub fn failed(&self, place: SourceId, now: Timestamp) {
        self.failed_of(place, now, self.rule.failures_max);
    }

    /// Notes a mistake where so many lock out.
    pub fn failed_of(&self, place: SourceId, now: Timestamp, failures_max: u32) {
        let rule = &self.rule;
        let mut shard = self.shard(place);
        shard.note(place.0, now, |pair| {
            if now.0 - pair.since > rule.window_secs {
                (pair.failures, pair.since) = (0, now.0);
            }
            pair.failures += 1;
            if pair.failures >= failures_max {
                let lasts = rule.first_lock_secs.saturating_mul(1 << pair.locks.min(20)).min(rule.lock_secs_max);
                pair.locked_until = now.0 + lasts;
                pair.locks += 1;
                pair.failures = 0;
                self.locks.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

impl Shard {
    fn note(&mut self, hash: u128, now: Timestamp, change: impl FnOnce(&mut Pair)) {
        if !self.pairs.contains_key(&hash) && self.pairs.len() >= SHARD_PAIRS_MAX {
            let oldest = self.pairs.iter().min_by_key(|(_, pair)| pair.touched).map(|(hash, _)| *hash);
            if let Some(oldest) = oldest {
                self.pairs.remove(&oldest);
            }
        }
        let pair = self.pairs.entry(hash).or_default();
        change(pair);
        pair.touched = now.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "LTAIkey";

    fn at(secs: i64) -> Timestamp {
        Timestamp(1_800_000_000 + secs)
    }

    fn fail_often(lockout: &Lockout, ip: &str, secs: i64) {
        for _ in 0..FAILURES_MAX {
            lockout.failed(lockout.place(KEY, ip), at(secs));
        }
    }

    #[test]
    fn a_guesser_is_locked_out_where_he_is_and_nobody_else() {
        let lockout = Lockout::default();
        fail_often(&lockout, "203.0.113.1", 0);
        assert_eq!(lockout.locked_secs(lockout.place(KEY, "203.0.113.1"), at(0)), Some(FIRST_LOCK_SECS));
        assert_eq!(lockout.locked_secs(lockout.place(KEY, "203.0.113.1"), at(FIRST_LOCK_SECS - 1)), Some(1));
        assert_eq!(lockout.locks(), 1);
        assert!(lockout.admits(lockout.place(KEY, "203.0.113.2"), at(0)));
        assert!(lockout.admits(lockout.place("LTAIother", "203.0.113.1"), at(0)));
        assert!(lockout.admits(lockout.place(KEY, "203.0.113.1"), at(FIRST_LOCK_SECS)));
        fail_often(&lockout, "203.0.113.1", FIRST_LOCK_SECS);
        assert!(!lockout.admits(lockout.place(KEY, "203.0.113.1"), at(2 * FIRST_LOCK_SECS)), "twice as long");
    }

    #[test]
    fn a_known_network_is_never_locked() {
        let lockout = Lockout::default();
        lockout.succeeded(lockout.place(KEY, "203.0.113.1"), at(0));
        fail_often(&lockout, "203.0.113.1", 1);
        assert!(lockout.admits(lockout.place(KEY, "203.0.113.1"), at(1)));
        fail_often(&lockout, "203.0.113.1", KNOWN_SECS + 1);
        assert!(!lockout.admits(lockout.place(KEY, "203.0.113.1"), at(KNOWN_SECS + 1)), "it is forgotten in the end");
    }

    #[test]
    fn slow_mistakes_do_not_lock() {
        let lockout = Lockout::default();
        for n in 0..100 {
            lockout.failed(lockout.place(KEY, "203.0.113.1"), at(n * (WINDOW_SECS + 1)));
            assert!(lockout.admits(lockout.place(KEY, "203.0.113.1"), at(n * (WINDOW_SECS + 1))));
        }
    }

    #[test]
    fn neighbours_in_an_ipv6_network_are_one() {
        let lockout = Lockout::default();
        fail_often(&lockout, "2001:db8::1", 0);
        assert!(!lockout.admits(lockout.place(KEY, "2001:db8::ffff:1"), at(0)));
        assert!(lockout.admits(lockout.place(KEY, "2001:db8:0:1::1"), at(0)));
    }

    #[test]
    fn memory_is_bounded() {
        let lockout = Lockout::default();
        for n in 0..140_000 {
            lockout.failed(lockout.place(&n.to_string(), "203.0.113.1"), at(n));
        }
        let pairs: usize = lockout.shards.iter().map(|shard| shard.lock().unwrap().pairs.len()).sum();
        assert!(pairs <= SHARDS * SHARD_PAIRS_MAX);
    }
}
