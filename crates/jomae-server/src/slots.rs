//! The few connections of a listener that is not the service's: a newcomer beyond the limit takes the slot of the one
//! that has been idle longest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// The open connections, by number.
#[derive(Default)]
pub(crate) struct Slots(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    next: u64,
    open: BTreeMap<u64, Open>,
}

struct Open {
    /// When the last request came, or the connection.
    used: Instant,
    evict: oneshot::Sender<()>,
}

/// The slot of one connection, given back when it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    number: u64,
}

impl Slots {
    /// A slot for a newcomer. If there is none, who has been idle longest loses his: an answer is made at once, so
    /// only who does not take it, or asks for nothing, is idle long.
    pub(crate) fn take(self: &Arc<Self>, connections_max: usize) -> (Slot, oneshot::Receiver<()>) {
        let mut taken = self.lock();
        if taken.open.len() >= connections_max
            && let Some(idle) = taken.open.iter().min_by_key(|(_, open)| open.used).map(|(number, _)| *number)
            && let Some(open) = taken.open.remove(&idle)
        {
            // It may have ended just now.
            let _ = open.evict.send(());
        }
        let (evict, evicted) = oneshot::channel();
        let number = taken.next;
        taken.next += 1;
        taken.open.insert(number, Open { used: Instant::now(), evict });
        (Slot { slots: Arc::clone(self), number }, evicted)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    pub(crate) fn touch(&self) {
        if let Some(open) = self.slots.lock().open.get_mut(&self.number) {
            open.used = Instant::now();
        }
    }

    /// Ends when no request has come for this long.
    pub(crate) async fn unused_for(&self, timeout: Duration) {
        // The guard must not live across the wait.
        let end = || self.slots.lock().open.get(&self.number).map(|open| open.used + timeout);
        while let Some(end) = end().filter(|end| *end > Instant::now()) {
            sleep_until(end).await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().open.remove(&self.number);
    }
}
