//! How many calls an account has made in each minute of the last day: in memory, of this process, and no call waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

use jomae_api::time::Timestamp;

/// Minutes that are remembered: a day.
pub const MINUTES: usize = 1440;
const MINUTE_SECS: i64 = 60;
/// Bits of each of the two counts, which stop at their maximum: 67 million calls in a minute.
const COUNT_BITS: u32 = 26;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// The calls of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    pub allowed: u32,
    pub refused: u32,
}

/// A ring of minutes, 11.5 KB.
pub struct Calls(Box<[AtomicU64]>);

impl Calls {
    pub(crate) fn new() -> Self {
        Self((0..MINUTES).map(|_| AtomicU64::new(0)).collect())
    }

    /// The place of a minute, and what its word begins with: which lap it is of, so that counts of a day ago are not taken
    /// for those of now.
    fn place(&self, now: Timestamp) -> Option<(&AtomicU64, u64)> {
        let minute = u64::try_from(now.0.div_euclid(MINUTE_SECS)).ok()?;
        let (lap, slot) = (minute / MINUTES as u64, minute % MINUTES as u64);
        Some((self.0.get(usize::try_from(slot).ok()?)?, lap << (2 * COUNT_BITS)))
    }

    /// Counts a call that has been answered.
    pub fn note(&self, now: Timestamp, refused: bool) {
        let Some((word, lap)) = self.place(now) else { return };
        let shift = if refused { COUNT_BITS } else { 0 };
        // The closure never gives up.
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            let counts = counts_of(held, lap).unwrap_or(0);
            let is_full = (counts >> shift) & COUNT_MAX == COUNT_MAX;
            Some(lap | if is_full { counts } else { counts + (1 << shift) })
        });
    }

    /// The last day, minute by minute; the last one has begun, and is not over.
    pub fn last_day(&self, now: Timestamp) -> Vec<Minute> {
        let at = |back: usize| {
            let secs = i64::try_from(back).ok()? * MINUTE_SECS;
            let (word, lap) = self.place(Timestamp(now.0 - secs))?;
            let counts = counts_of(word.load(Ordering::Relaxed), lap)?;
            let count = |counts: u64| u32::try_from(counts & COUNT_MAX).unwrap_or(u32::MAX);
            Some(Minute { allowed: count(counts), refused: count(counts >> COUNT_BITS) })
        };
        (0..MINUTES).rev().map(|back| at(back).unwrap_or_default()).collect()
    }
}

/// The counts in a word, if they are of this lap.
const fn counts_of(word: u64, lap: u64) -> Option<u64> {
    const COUNTS: u64 = (1 << (2 * COUNT_BITS)) - 1;
    if word & !COUNTS == lap { Some(word & COUNTS) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn of(calls: &Calls, now: i64) -> Vec<(usize, u32, u32)> {
        let day = calls.last_day(Timestamp(now));
        let some = day.iter().enumerate().filter(|(_, minute)| **minute != Minute::default());
        some.map(|(at, minute)| (MINUTES - 1 - at, minute.allowed, minute.refused)).collect()
    }

    #[test]
    fn calls_are_counted_by_their_minute() {
        let calls = Calls::new();
        for (at, refused) in [(0, false), (59, false), (59, true), (60, false), (-1, true)] {
            calls.note(Timestamp(NOW.0 + at), refused);
        }
        assert_eq!(of(&calls, NOW.0 + 60), [(2, 0, 1), (1, 2, 1), (0, 1, 0)]);
        assert_eq!(of(&calls, NOW.0 + 60 + 86_400 - 60), [(1439, 1, 0)], "the rest is more than a day ago");
        assert_eq!(of(&calls, NOW.0 + 2 * 86_400), []);
    }

    #[test]
    fn a_day_later_a_minute_begins_anew() {
        let calls = Calls::new();
        calls.note(NOW, false);
        calls.note(NOW, true);
        calls.note(Timestamp(NOW.0 + 86_400), true);
        assert_eq!(of(&calls, NOW.0 + 86_400), [(0, 0, 1)]);
        // A clock that was set back does not count into another minute.
        assert_eq!(of(&calls, NOW.0), []);
        calls.note(Timestamp(-1), false);
        assert_eq!(of(&calls, NOW.0 + 86_400), [(0, 0, 1)]);
    }

    #[test]
    fn a_count_that_is_full_stays() {
        let calls = Calls::new();
        let (word, lap) = calls.place(NOW).unwrap();
        word.store(lap | COUNT_MAX, Ordering::Relaxed);
        calls.note(NOW, false);
        calls.note(NOW, true);
        assert_eq!(of(&calls, NOW.0), [(0, u32::try_from(COUNT_MAX).unwrap(), 1)]);
    }
}
