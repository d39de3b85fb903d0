//! Changing calls of one account that have lost to each other go on one after the other.
//!
//! A call decides and commits without a lock, and decides again if what it read has changed. Many at a time that all
//! change one record (every change of RAM counts in one record of its account) could go on losing to each other until they
//! give up; in a line, the first one has only newcomers to lose to.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use futures_channel::oneshot;
use jomae_api::names::AccountId;

/// The lines, one for each account that has any.
#[derive(Clone, Default)]
pub struct Rivals(Arc<Mutex<HashMap<AccountId, Line>>>);

/// Those who wait; whose turn it is, is none of them.
type Line = VecDeque<oneshot::Sender<Turn>>;

/// The turn of a call, which passes on when this is dropped.
pub struct Turn {
    rivals: Rivals,
    account: AccountId,
}

impl Rivals {
    /// Waits until it is the caller's turn.
    pub async fn turn(&self, account: &AccountId) -> Turn {
        let waits = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(line) = lines.get_mut(account) {
                let (granted, waits) = oneshot::channel();
                line.push_back(granted);
                Some(waits)
            } else {
                lines.insert(account.clone(), Line::new());
                None
            }
        };
        let turn = || Turn { rivals: self.clone(), account: account.clone() };
        match waits {
            // Senders go with their line only, and that stays until each of them has sent.
            Some(waits) => waits.await.unwrap_or_else(|_| turn()),
            None => turn(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut lines = self.rivals.0.lock().unwrap_or_else(PoisonError::into_inner);
            let next = lines.get_mut(&self.account).and_then(Line::pop_front);
            if next.is_none() {
                lines.remove(&self.account);
            }
            next
        };
        if let Some(next) = next {
            // Not under the lock: a turn that nobody takes passes on as it is dropped.
            drop(next.send(Self { rivals: self.rivals.clone(), account: self.account.clone() }));
        }
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
        let mut leaves_granted = leaves;
        drop(first);
        // It was granted, and leaves before it has noticed.
        drop(std::mem::replace(&mut leaves_granted, Box::pin(rivals.turn(&alice))));
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(turn) = poll(second.as_mut()) else { panic!("it is next") };
        drop(turn);
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
        drop(third);
        drop(leaves_granted);
        assert!(rivals.0.lock().unwrap().is_empty());
    }
}
