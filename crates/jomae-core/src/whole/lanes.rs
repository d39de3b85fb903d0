//! The lanes of this process: which are free, and what is known of each, of those of other nodes, and of the base.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_channel::oneshot;
use jomae_crypto::set::SetSum;

use super::record::{self, BaseRecord, LaneRecord};
use crate::{
    error::Fault,
    store::{Path, Revision},
};

/// Commits of one process that are on their way at a time; more wait. A lane comes to be when it is first needed.
pub const LANES: usize = 64;

/// What is known of a record of the hash.
#[derive(Clone, Default)]
pub struct Known {
    pub changes: u64,
    pub sum: SetSum,
    /// None: it is not there yet.
    pub revision: Option<Revision>,
}

impl Known {
    pub fn of_lane(path: &str, record: &LaneRecord, revision: Revision) -> Result<Self, Fault> {
        Ok(Self { changes: record.changes, sum: record::sum_of(path, &record.sum)?, revision: Some(revision) })
    }

    pub fn of_base(record: &BaseRecord, revision: Revision) -> Result<Self, Fault> {
        let sum = record::sum_of(record::base().as_str(), &record.sum)?;
        Ok(Self { changes: record.changes, sum, revision: Some(revision) })
    }
}

/// All that is known. What stands here was seen in the store, and is durable there.
#[derive(Default)]
pub struct Memory {
    own: Vec<Known>,
    /// Lanes that a commit has left without a word: they are read again before they are used.
    stale: BTreeSet<usize>,
    free: BTreeSet<usize>,
    waiting: VecDeque<oneshot::Sender<Lane>>,
    /// The lanes of others, by their paths.
    pub others: BTreeMap<Path, Known>,
    pub base: Option<(Known, u64)>,
}

impl Memory {
    pub fn own(&self, number: usize) -> Known {
        self.own.get(number).cloned().unwrap_or_default()
    }

    pub fn is_stale(&self, number: usize) -> bool {
        self.stale.contains(&number)
    }

    /// What was found, or done, of an own lane.
    pub fn learn(&mut self, number: usize, known: Known) {
        self.stale.remove(&number);
        if self.own.len() <= number {
            self.own.resize_with(number + 1, Known::default);
        }
        if let Some(lane) = self.own.get_mut(number) {
            *lane = known;
        }
    }

    /// How many commits have taken each own lane.
    pub fn counters(&self) -> Vec<u64> {
        self.own.iter().map(|known| known.changes).collect()
    }

    /// How many have taken those of each other node.
    pub fn totals_of_others(&self) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for (path, known) in &self.others {
            if let Some((owner, _)) = record::of_lane(path.as_str()) {
                *totals.entry(owner.to_owned()).or_insert(0) += known.changes;
            }
        }
        totals
    }

    /// All changes, and the sum of all shares; None before there is a base.
    pub fn state(&self) -> Option<(u64, SetSum)> {
        let (base, _) = self.base.as_ref()?;
        let mut state = (base.changes, base.sum.clone());
        for known in self.own.iter().chain(self.others.values()) {
            state.0 = state.0.saturating_add(known.changes);
            state.1.add(&known.sum);
        }
        Some(state)
    }

    pub const fn epoch(&self) -> u64 {
        match &self.base {
            Some((_, epoch)) => *epoch,
            None => 0,
        }
    }
}

/// The lanes, for commits to take.
#[derive(Clone)]
pub struct Lanes(Arc<Mutex<Memory>>);

impl Lanes {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Memory { free: (0..LANES).collect(), ..Memory::default() })))
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane that no other commit uses: the first one, so that there are no more of them than were needed. At once if
    /// one is free.
    pub async fn take(&self) -> Lane {
        loop {
            let waiting = {
                let mut memory = self.memory();
                if let Some(number) = memory.free.pop_first() {
                    drop(memory);
                    return Lane { lanes: self.clone(), number, is_sent: false, is_handed_on: false };
                }
                let (sender, waiting) = oneshot::channel();
                memory.waiting.push_back(sender);
                waiting
            };
            // It is never dropped unsent as long as a lane is on its way; if so after all, asking again does no harm.
            if let Ok(lane) = waiting.await {
                return lane;
            }
        }
    }
}

/// A lane in use. Dropped, it goes to whoever waits for one, or is free again.
pub struct Lane {
    lanes: Lanes,
    pub number: usize,
    /// Whether something is on its way of which nobody knows what became.
    is_sent: bool,
    /// Another value stands for it now.
    is_handed_on: bool,
}

impl Lane {
    /// From here on the lane is not what it was known as, unless [`Lane::done`] says so.
    pub fn sent(&mut self) {
        self.is_sent = true;
    }

    pub fn done(mut self, known: Known) {
        self.is_sent = false;
        self.lanes.memory().learn(self.number, known);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_handed_on {
            return;
        }
        let mut memory = self.lanes.memory();
        if self.is_sent {
            memory.stale.insert(self.number);
        }
        while let Some(waiter) = memory.waiting.pop_front() {
            let next = Self { lanes: self.lanes.clone(), number: self.number, is_sent: false, is_handed_on: false };
            drop(memory);
            // One who has gone since then drops it, and so hands it on.
            let Err(mut unwanted) = waiter.send(next) else { return };
            unwanted.is_handed_on = true;
            memory = self.lanes.memory();
        }
        memory.free.insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn taken(lanes: &Lanes) -> Lane {
        match poll(pin!(lanes.take())) {
            Poll::Ready(lane) => lane,
            Poll::Pending => panic!("no lane is free"),
        }
    }

    #[test]
    fn the_first_free_lane_is_taken_and_who_waits_gets_the_next() {
        let lanes = Lanes::new();
        let mut all: Vec<Lane> = (0..LANES).map(|_| taken(&lanes)).collect();
        assert!(all.iter().enumerate().all(|(at, lane)| lane.number == at));
        let (mut first, mut second) = (Box::pin(lanes.take()), Box::pin(lanes.take()));
        let mut gone = Box::pin(lanes.take());
        assert!(poll(gone.as_mut()).is_pending() && poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        drop(gone);
        drop(all.remove(5));
        let Poll::Ready(lane) = poll(first.as_mut()) else { panic!("it waits on") };
        assert_eq!(lane.number, 5, "whoever has gone is passed over");
        assert!(poll(second.as_mut()).is_pending());
        drop(lane);
        // Handed over, and never taken up.
        drop(second);
        assert_eq!(taken(&lanes).number, 5);
        drop(all);
        assert_eq!(lanes.memory().free.len(), LANES);
        assert!(lanes.memory().waiting.is_empty());
    }

    #[test]
    fn a_lane_left_without_a_word_is_stale_until_something_is_learned() {
        let lanes = Lanes::new();
        let mut lane = taken(&lanes);
        lane.sent();
        drop(lane);
        assert!(lanes.memory().is_stale(0));
        let mut lane = taken(&lanes);
        assert_eq!(lane.number, 0);
        lane.sent();
        lane.done(Known { changes: 4, revision: Some(Revision(9)), ..Known::default() });
        assert!(!lanes.memory().is_stale(0));
        assert_eq!(lanes.memory().counters(), [4]);
        drop(taken(&lanes));
        assert!(!lanes.memory().is_stale(0), "nothing was sent");
    }
}
