//! Making certain that reads see everything that was committed anywhere.

use std::sync::{Arc, Mutex, PoisonError};

use jomae_core::store::StoreError;
use jomae_etcd::proto::RangeRequest;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Inner,
    commit::{ANSWER_WAIT, unavailable},
    pages::no_head,
};

type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// Who waits for the next read. A read that has begun does not do for them: what they ask about may have happened since.
#[derive(Default)]
pub(super) struct Confirms {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    reading: bool,
    waiters: Vec<Waiter>,
}

impl Confirms {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller must start the reading.
    pub(super) fn join(&self, waiter: Waiter) -> bool {
        let mut waiting = self.lock();
        waiting.waiters.push(waiter);
        !std::mem::replace(&mut waiting.reading, true)
    }

    fn take(&self) -> Option<Vec<Waiter>> {
        let mut waiting = self.lock();
        let waiters = std::mem::take(&mut waiting.waiters);
        waiting.reading = !waiters.is_empty();
        waiting.reading.then_some(waiters)
    }
}

/// One read after the other, each for all who came before it, until nobody waits.
pub(super) async fn run(inner: Arc<Inner>) {
    while let Some(waiters) = inner.confirms.take() {
        let deadline = Instant::now() + ANSWER_WAIT;
        match newest(&inner).await {
            Ok(newest) => {
                let inner = Arc::clone(&inner);
                // The next read need not wait until the watch has brought this one's.
                tokio::spawn(async move {
                    let seen = inner.applied(newest, deadline).await;
                    answer(waiters, || {
                        let late = || StoreError::Unavailable("the watch on etcd is behind".to_owned());
                        if seen { Ok(()) } else { Err(late()) }
                    });
                });
            }
            Err(error) => answer(waiters, || Err(copy(&error))),
        }
    }
}

/// The revision of the newest commit, by a linearizable read. etcd's own revision would not do: other keys raise it, and
/// no event of ours would ever reach it.
async fn newest(inner: &Inner) -> Result<i64, StoreError> {
    inner.replica.check()?;
    let request = RangeRequest { key: inner.keys.head(), ..RangeRequest::default() };
    let answer = inner.client.range(request).await.map_err(|error| unavailable(&error))?;
    answer.kvs.first().map(|kv| kv.mod_revision).ok_or_else(|| no_head(&inner.keys))
}

fn answer(waiters: Vec<Waiter>, result: impl Fn() -> Result<(), StoreError>) {
    for waiter in waiters {
        let _ = waiter.send(result());
    }
}

fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Damaged(why) => StoreError::Damaged(why.clone()),
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        StoreError::Limit(what) => StoreError::Limit(what),
    }
}
