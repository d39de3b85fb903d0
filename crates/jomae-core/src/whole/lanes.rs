//! The lanes of this process: which are free, and what is known of each, of those of other nodes, and of the base.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use futures_channel::oneshot;
use jomae_crypto::set::SetSum;

use super::record::{self, BaseRecord, LaneRecord};
use crate::{
    error::Fault,
    store::{BoxFuture, Committed, Path, Revision, StoreError},
};

/// A commit that was handed to the store inside.
pub type Sending = BoxFuture<'static, Result<Committed, StoreError>>;

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
    /// Commits on their way that nobody waits for any more, each with its lane.
    abandoned: Vec<Abandoned>,
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

struct Abandoned {
    number: usize,
    sending: Sending,
    /// The lane, if it is done.
    next: Known,
}

/// Wakes everybody who waits for a lane, since a commit that nobody waits for may have ended.
#[derive(Default)]
struct Bell(Mutex<Vec<Waker>>);

impl Bell {
    fn register(&self, waker: &Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The lanes, for commits to take.
#[derive(Clone)]
pub struct Lanes(Arc<Mutex<Memory>>, Arc<Bell>);

impl Lanes {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Memory { free: (0..LANES).collect(), ..Memory::default() })), Arc::default())
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane that no other commit uses: the first one, so that there are no more of them than were needed. At once if
    /// one is free.
    pub async fn take(&self) -> Lane {
        let mut waiting: Option<oneshot::Receiver<Lane>> = None;
        poll_fn(|context| {
            // Before it is looked whether something has ended, so that nothing can end unheard.
            if !self.memory().abandoned.is_empty() {
                self.1.register(context.waker());
            }
            self.settle();
            loop {
                if let Some(receiver) = &mut waiting {
                    match Pin::new(receiver).poll(context) {
                        Poll::Ready(Ok(lane)) => return Poll::Ready(lane),
                        // Nobody drops the other end unsent; if so after all, asking again does no harm.
                        Poll::Ready(Err(_)) => waiting = None,
                        Poll::Pending => return Poll::Pending,
                    }
                }
                let mut memory = self.memory();
                if let Some(number) = memory.free.pop_first() {
                    drop(memory);
                    return Poll::Ready(self.lane(number));
                }
                let (sender, receiver) = oneshot::channel();
                memory.waiting.push_back(sender);
                waiting = Some(receiver);
            }
        })
        .await
    }

    fn lane(&self, number: usize) -> Lane {
        Lane { lanes: self.clone(), number, sending: None, is_stale: false, is_handed_on: false }
    }

    /// Finds out which commits have ended that nobody waits for, and frees their lanes.
    fn settle(&self) {
        let abandoned = std::mem::take(&mut self.memory().abandoned);
        if abandoned.is_empty() {
            return;
        }
        let bell = Waker::from(Arc::clone(&self.1));
        let mut context = Context::from_waker(&bell);
        for mut one in abandoned {
            match one.sending.as_mut().poll(&mut context) {
                Poll::Pending => self.memory().abandoned.push(one),
                Poll::Ready(outcome) => self.lane(one.number).ended(&outcome, one.next),
            }
        }
    }
}

/// A lane in use. Dropped, it goes to whoever waits for one, or is free again; but not as long as a commit is on its way that
/// has it.
pub struct Lane {
    lanes: Lanes,
    pub number: usize,
    /// A commit on its way, and what the lane is after it.
    sending: Option<(Sending, Known)>,
    /// Whether nobody knows what became of the last commit.
    is_stale: bool,
    /// Another value stands for it now.
    is_handed_on: bool,
}

impl Lane {
    /// Has a commit done that leaves the lane as `next`. If nobody waits for it any more, it goes on all the same, and so keeps
    /// the lane.
    pub async fn send(mut self, sending: Sending, next: Known) -> Result<Committed, StoreError> {
        self.sending = Some((sending, next));
        let outcome = poll_fn(|context| match &mut self.sending {
            Some((sending, _)) => sending.as_mut().poll(context),
            None => Poll::Ready(Ok(Committed::Unknown)),
        })
        .await;
        if let Some((_, next)) = self.sending.take() {
            self.ended(&outcome, next);
        }
        outcome
    }

    fn ended(mut self, outcome: &Result<Committed, StoreError>, next: Known) {
        match outcome {
            Ok(Committed::Done(revision)) => {
                self.lanes.memory().learn(self.number, Known { revision: Some(*revision), ..next });
            }
            // A conflict may have been with the lane.
            Ok(Committed::Conflict | Committed::Unknown) | Err(_) => self.is_stale = true,
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_handed_on {
            return;
        }
        let mut memory = self.lanes.memory();
        if let Some((sending, next)) = self.sending.take() {
            memory.abandoned.push(Abandoned { number: self.number, sending, next });
            return;
        }
        if self.is_stale {
            memory.stale.insert(self.number);
        }
        while let Some(waiter) = memory.waiting.pop_front() {
            drop(memory);
            // One who has gone since then drops it, and so hands it on.
            let Err(mut unwanted) = waiter.send(self.lanes.lane(self.number)) else { return };
            unwanted.is_handed_on = true;
            memory = self.lanes.memory();
        }
        memory.free.insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn taken(lanes: &Lanes) -> Lane {
        match poll(pin!(lanes.take())) {
            Poll::Ready(lane) => lane,
            Poll::Pending => panic!("no lane is free"),
        }
    }

    fn after(changes: u64) -> Known {
        Known { changes, ..Known::default() }
    }

    /// A commit that ends when it is told how.
    fn commit() -> (oneshot::Sender<Committed>, Sending) {
        let (sender, ended) = oneshot::channel();
        (sender, Box::pin(async move { Ok(ended.await.unwrap()) }))
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
    fn a_lane_of_unknown_state_is_stale_until_something_is_learned() {
        let lanes = Lanes::new();
        let (ends, sending) = commit();
        let mut sent = Box::pin(taken(&lanes).send(sending, after(1)));
        assert!(poll(sent.as_mut()).is_pending());
        ends.send(Committed::Unknown).unwrap();
        assert!(poll(sent.as_mut()).is_ready());
        assert!(lanes.memory().is_stale(0));
        let lane = taken(&lanes);
        assert_eq!(lane.number, 0);
        let (ends, sending) = commit();
        ends.send(Committed::Done(Revision(9))).unwrap();
        assert!(poll(pin!(lane.send(sending, after(4)))).is_ready());
        assert!(!lanes.memory().is_stale(0));
        assert_eq!(lanes.memory().counters(), [4]);
        assert_eq!(lanes.memory().own(0).revision, Some(Revision(9)));
        drop(taken(&lanes));
        assert!(!lanes.memory().is_stale(0), "nothing was sent");
    }

    #[test]
    fn a_commit_that_nobody_waits_for_keeps_its_lane() {
        struct Woken(std::sync::atomic::AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let lanes = Lanes::new();
        let mut ends: Vec<_> = (0..LANES)
            .map(|_| {
                let (end, sending) = commit();
                let mut sent = Box::pin(taken(&lanes).send(sending, after(7)));
                assert!(poll(sent.as_mut()).is_pending());
                end
            })
            .collect();
        let woken = Arc::new(Woken(false.into()));
        let mut waiting = Box::pin(lanes.take());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        ends.remove(3).send(Committed::Done(Revision(5))).unwrap();
        assert!(woken.0.load(std::sync::atomic::Ordering::SeqCst), "whoever waits for a lane is told");
        let Poll::Ready(lane) = poll(waiting.as_mut()) else { panic!("a lane is free") };
        assert_eq!(lane.number, 3);
        assert_eq!(lanes.memory().own(3).changes, 7, "it was done");
    }
}
