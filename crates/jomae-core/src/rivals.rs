//! Changing calls of one account that have lost to each other go on one after the other.
//!
//! A call decides and commits without a lock, and decides again if what it read has changed. Many at a time that all
//! change one record (every change of RAM counts in one record of its account) could go on losing to each other until they
//! give up; in a line, the first one has only newcomers to lose to.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_channel::oneshot;
use jomae_api::names::AccountId;

/// The lines, one for each account that has any.
#[derive(Default)]
pub struct Rivals(Mutex<HashMap<AccountId, Line>>);

/// Those who wait; whose turn it is, is none of them.
type Line = VecDeque<oneshot::Sender<()>>;

/// The turn of a call, which passes on when this is dropped.
pub struct Turn<'r> {
    rivals: &'r Rivals,
    account: AccountId,
}

impl Rivals {
    /// Waits until it is the caller's turn.
    pub async fn turn(&self, account: &AccountId) -> Turn<'_> {
        let waits = match self.lines().entry(account.clone()) {
            std::collections::hash_map::Entry::Vacant(line) => {
                line.insert(Line::new());
                None
            }
            std::collections::hash_map::Entry::Occupied(mut line) => {
                let (granted, waits) = oneshot::channel();
                line.get_mut().push_back(granted);
                Some(waits)
            }
        };
        if let Some(waits) = waits {
            // A sender goes only with its line, and then nobody's turn it is any more.
            let _ = waits.await;
        }
        Turn { rivals: self, account: account.clone() }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<AccountId, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.rivals.lines();
        let Some(line) = lines.get_mut(&self.account) else { return };
        while let Some(next) = line.pop_front() {
            // Who has left the line is passed over.
            if next.send(()).is_ok() {
                return;
            }
        }
        lines.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn one_after_the_other_and_who_leaves_is_passed_over() {
        let rivals = Rivals::default();
        let account = |n: u64| AccountId::new(&(1_000_000_000_000_000 + n).to_string()).unwrap();
        let (alice, bob) = (account(1), account(2));
        let Poll::Ready(first) = poll(pin!(rivals.turn(&alice))) else { panic!("nobody else is there") };
        let mut leaves = Box::pin(rivals.turn(&alice));
        let mut second = Box::pin(rivals.turn(&alice));
        let mut third = Box::pin(rivals.turn(&alice));
        for waiting in [&mut leaves, &mut second, &mut third] {
            assert!(poll(waiting.as_mut()).is_pending());
        }
        assert!(poll(pin!(rivals.turn(&bob))).is_ready(), "accounts do not wait for each other");
        drop(leaves);
        drop(first);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(turn) = poll(second.as_mut()) else { panic!("it is next") };
        drop(turn);
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
        drop(third);
        assert!(rivals.lines().is_empty());
    }
}
