//! Places for work that is dear: fewer than there are threads, and given in turns.

use std::{
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_channel::oneshot;

use crate::turns::{Turn, Turns};

/// Places that accounts, or whoever else `K` names, take in turns.
pub struct Places<K: Key>(Mutex<State<K>>);

/// What tells one who waits from another.
pub trait Key: Clone + Eq + Hash + Ord {}

impl<K: Clone + Eq + Hash + Ord> Key for K {}

struct State<K: Key> {
    free: usize,
    turns: Turns<K, oneshot::Sender<Place<K>>>,
}

/// A place, which passes on when this is dropped.
pub struct Place<K: Key> {
    places: Arc<Places<K>>,
    turn: Option<Turn<K>>,
    cost: u64,
}

impl<K: Key> Places<K> {
    /// So many, one at least; `waiting_max` may wait for one.
    pub fn new(places: usize, waiting_max: usize) -> Self {
        Self(Mutex::new(State { free: places.max(1), turns: Turns::new(waiting_max) }))
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, for work of this cost, in whatever unit is used for all of them. `None` if too many wait already for
    /// the same one.
    pub async fn take(self: &Arc<Self>, whose: &K, cost: u64) -> Option<Place<K>> {
        let (waiter, granted) = oneshot::channel();
        self.state().turns.push(whose, waiter, |waiter| !waiter.is_canceled()).ok()?;
        self.pass_on();
        let mut place = granted.await.ok()?;
        place.cost = cost;
        Some(place)
    }

    /// Gives free places to those who wait. Not under the lock: a place that nobody takes passes on as it is dropped.
    fn pass_on(self: &Arc<Self>) {
        while let Some((turn, waiter)) = self.next() {
            drop(waiter.send(Place { places: Arc::clone(self), turn: Some(turn), cost: 0 }));
        }
    }

    /// Takes a free place for whoever is next and still waits.
    fn next(&self) -> Option<(Turn<K>, oneshot::Sender<Place<K>>)> {
        let mut state = self.state();
        while state.free > 0 {
            let (turn, waiter) = state.turns.pop()?;
            if !waiter.is_canceled() {
                state.free -= 1;
                return Some((turn, waiter));
            }
            state.turns.done(turn, 0);
        }
        None
    }
}

impl<K: Key> Drop for Place<K> {
    fn drop(&mut self) {
        {
            let mut state = self.places.state();
            if let Some(turn) = self.turn.take() {
                state.turns.done(turn, self.cost);
            }
            state.free += 1;
        }
        self.places.pass_on();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_leaves_the_line_passes_the_turn_on() {
        let places = Arc::new(Places::new(1, 1000));
        let mut first = Box::pin(places.take(&1, 5));
        let Poll::Ready(Some(place)) = poll(first.as_mut()) else { panic!("a free place") };
        let mut leaves = Box::pin(places.take(&1, 5));
        let mut leaves_granted = Box::pin(places.take(&1, 5));
        let mut stays = Box::pin(places.take(&1, 5));
        assert!(poll(leaves.as_mut()).is_pending());
        assert!(poll(leaves_granted.as_mut()).is_pending());
        assert!(poll(stays.as_mut()).is_pending());
        drop(leaves);
        drop(place);
        drop(leaves_granted);
        assert!(poll(stays.as_mut()).is_ready());
        drop(stays);
        assert_eq!(places.state().free, 1);
    }

    #[test]
    fn one_who_crowds_waits_behind_a_newcomer() {
        let places = Arc::new(Places::new(1, 8));
        let mut first = Box::pin(places.take(&1, 100));
        let Poll::Ready(Some(place)) = poll(first.as_mut()) else { panic!("a free place") };
        let mut crowd: Vec<_> = (0..4).map(|_| Box::pin(places.take(&1, 100))).collect();
        assert!(crowd.iter_mut().all(|one| poll(one.as_mut()).is_pending()));
        assert!(matches!(poll(Box::pin(places.take(&1, 100)).as_mut()), Poll::Ready(None)), "half may wait");
        let mut newcomer = Box::pin(places.take(&2, 100));
        assert!(poll(newcomer.as_mut()).is_pending());
        drop(place);
        let mut before = 0;
        while poll(newcomer.as_mut()).is_pending() {
            let at = crowd.iter_mut().position(|one| matches!(poll(one.as_mut()), Poll::Ready(Some(_))));
            drop(crowd.remove(at.unwrap()));
            before += 1;
        }
        assert!(before <= 1, "{before} before");
    }
}
