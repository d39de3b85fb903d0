//! Which threads carry a call: those of requests, or others if it costs much.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::wait::yield_now;

/// After so many quick calls in a row a connection goes back to the threads of requests.
pub const QUICK_CALLS: u8 = 8;

/// What the task that carries calls, of a connection or a single one, says of them to whoever drives it. While they cost much, it belongs
/// on threads of its own, so that the quick calls of others do not wait for it.
#[derive(Debug, Default)]
pub struct Lane {
    is_costly: AtomicBool,
    /// Whether the call under way is one that costs much.
    by_this_call: AtomicBool,
    /// Calls since the last one of these.
    quick: AtomicU8,
}

impl Lane {
    /// Whether the task belongs on the threads for costly work. To be looked at whenever it waits.
    pub fn is_costly(&self) -> bool {
        self.is_costly.load(Ordering::Relaxed)
    }

    /// Says that a call begins.
    pub fn begin_call(&self) {
        self.by_this_call.store(false, Ordering::Relaxed);
    }

    /// Says that what follows costs much. If that is new, the task waits once, so that it can be moved before it goes on.
    pub async fn become_costly(&self) {
        self.by_this_call.store(true, Ordering::Relaxed);
        self.quick.store(0, Ordering::Relaxed);
        if !self.is_costly.swap(true, Ordering::Relaxed) {
            yield_now().await;
        }
    }

    /// Says that the call is answered, in whatever way.
    pub fn end_call(&self) {
        if self.is_costly()
            && !self.by_this_call.load(Ordering::Relaxed)
            && self.quick.fetch_add(1, Ordering::Relaxed) + 1 >= QUICK_CALLS
        {
            self.is_costly.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    /// Whether it goes on at once.
    fn becomes_costly(lane: &Lane) -> bool {
        pin!(lane.become_costly()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_costly_call_waits_to_be_moved_and_quick_ones_in_a_row_move_back() {
        let lane = Lane::default();
        let quick_call = || {
            lane.begin_call();
            lane.end_call();
        };
        let costly_call = || {
            lane.begin_call();
            let at_once = becomes_costly(&lane);
            lane.end_call();
            at_once
        };
        quick_call();
        assert!(!lane.is_costly());
        assert!(!costly_call(), "it is on the wrong threads");
        assert!(costly_call(), "it has been moved");
        for _ in 1..QUICK_CALLS {
            quick_call();
        }
        assert!(lane.is_costly());
        assert!(costly_call());
        for _ in 1..QUICK_CALLS {
            quick_call();
        }
        assert!(lane.is_costly(), "they are counted anew");
        quick_call();
        assert!(!lane.is_costly());
        assert!(!costly_call());
    }
}
