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
    quick: AtomicU8,
}

impl Lane {
    /// Whether the task belongs on the threads for costly work. To be looked at whenever it waits.
    pub fn is_costly(&self) -> bool {
        self.is_costly.load(Ordering::Relaxed)
    }

    /// Says that what follows costs much. If that is new, the task waits once, so that it can be moved before it goes on.
    pub async fn become_costly(&self) {
        self.quick.store(0, Ordering::Relaxed);
        if !self.is_costly.swap(true, Ordering::Relaxed) {
            yield_now().await;
        }
    }

    /// Says that a quick call follows.
    pub fn note_quick(&self) {
        if self.is_costly() && self.quick.fetch_add(1, Ordering::Relaxed) + 1 >= QUICK_CALLS {
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
        lane.note_quick();
        assert!(!lane.is_costly());
        assert!(!becomes_costly(&lane), "it is on the wrong threads");
        assert!(becomes_costly(&lane), "it has been moved");
        for _ in 1..QUICK_CALLS {
            lane.note_quick();
        }
        assert!(lane.is_costly());
        assert!(becomes_costly(&lane));
        for _ in 1..QUICK_CALLS {
            lane.note_quick();
        }
        assert!(lane.is_costly(), "they are counted anew");
        lane.note_quick();
        assert!(!lane.is_costly());
        assert!(!becomes_costly(&lane));
    }
}
