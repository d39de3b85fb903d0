//! Waiting, without a runtime, and work that must not be done on a request's thread.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::store::BoxFuture;

/// A result that is there already, or will be. Work that is done at once costs no allocation and no turn of the
/// scheduler.
pub enum Work<'a, T> {
    Done(T),
    Later(BoxFuture<'a, T>),
}

impl<T> Work<'_, T> {
    pub async fn wait(self) -> T {
        match self {
            Self::Done(value) => value,
            Self::Later(future) => future.await,
        }
    }
}

/// How long a job keeps a processor busy, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A private-key operation: up to a few milliseconds.
    Operation,
    /// The making of a key: up to seconds.
    Generation,
}

/// Threads for work that would hold up a request's thread. Bounded: jobs wait their turn.
pub trait Pool: Send + Sync {
    fn run(&self, effort: Effort, job: Box<dyn FnOnce() + Send>);
}

/// Does every job at once, where it was asked for: for tools and tests.
pub struct Inline;

impl Pool for Inline {
    fn run(&self, _: Effort, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

/// The job was lost: it panicked, or the pool is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job of the cryptographic pool was lost")]
pub struct Lost;

/// Gives a job to the pool; the future holds its result.
pub fn offload<T: Send + 'static>(
    pool: &dyn Pool,
    effort: Effort,
    job: impl FnOnce() -> T + Send + 'static,
) -> BoxFuture<'static, Result<T, Lost>> {
    let slot = Arc::new(Slot(Mutex::new(State { result: None, lost: false, waker: None })));
    let promise = Promise(Arc::clone(&slot));
    pool.run(effort, Box::new(move || promise.keep(job())));
    Box::pin(Outcome(slot))
}

struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    result: Option<T>,
    lost: bool,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job's end. Dropped without a result, it tells that there will be none.
struct Promise<T>(Arc<Slot<T>>);

impl<T> Promise<T> {
    fn keep(self, result: T) {
        self.0.state().result = Some(result);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.lost = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// The waiter's end.
struct Outcome<T>(Arc<Slot<T>>);

impl<T> Future for Outcome<T> {
    type Output = Result<T, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        match state.result.take() {
            Some(result) => Poll::Ready(Ok(result)),
            None if state.lost => Poll::Ready(Err(Lost)),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Lets other tasks run once; for loops over many records.
pub async fn breathe() {
    struct Once(bool);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Once(false).await;
}
