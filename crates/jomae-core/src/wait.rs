//! Waiting, without a runtime, and work that must not be done on a request's thread.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

use jomae_api::{error::Refusal, names::AccountId};

use crate::{
    error::{Error, Fault},
    store::BoxFuture,
};

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

/// How long a job keeps a processor busy, roughly. Each kind has threads of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A private-key operation: up to a few milliseconds.
    Operation,
    /// The making of a key that takes microseconds: elliptic curves, ML-DSA, ML-KEM.
    QuickGeneration,
    /// The making of an RSA key: up to seconds.
    Generation,
}

/// Work for a pool.
pub trait Job: Send {
    /// Whether somebody still waits for it.
    fn is_wanted(&self) -> bool;
    fn run(self: Box<Self>);
    /// Tells the waiter that there is no room for it.
    fn turn_away(self: Box<Self>);
}

/// Threads for work that would hold up a request's thread. Bounded: jobs wait, accounts in turns, and an account that has
/// its share of the places waiting already is turned away.
pub trait Pool: Send + Sync {
    fn run(&self, effort: Effort, account: &AccountId, job: Box<dyn Job>);
}

/// Does every job at once, where it was asked for: for tools and tests.
pub struct Inline;

impl Pool for Inline {
    fn run(&self, _: Effort, _: &AccountId, job: Box<dyn Job>) {
        job.run();
    }
}

/// Why a job has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// It panicked, or the pool is gone.
    #[error("a job of the cryptographic pool was lost")]
    Lost,
    /// The account has too much work waiting.
    #[error("too much work of the account waits already")]
    Crowded,
}

impl From<NotDone> for Error {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::Lost => Fault::internal(why).into(),
            NotDone::Crowded => Refusal::UserThrottled.into(),
        }
    }
}

/// Gives a job to the pool, on the bill of an account; the future holds its result. A job that has not begun when the
/// future is dropped is never done.
pub fn offload<T: Send + 'static>(
    pool: &dyn Pool,
    effort: Effort,
    account: &AccountId,
    job: impl FnOnce() -> T + Send + 'static,
) -> BoxFuture<'static, Result<T, NotDone>> {
    let slot = Arc::new(Slot(Mutex::new(State { result: None, over: None, waker: None })));
    pool.run(effort, account, Box::new(Promised { promise: Promise(Arc::clone(&slot)), job }));
    Box::pin(Outcome(slot))
}

struct Promised<T, J> {
    promise: Promise<T>,
    job: J,
}

impl<T: Send, J: FnOnce() -> T + Send> Job for Promised<T, J> {
    fn is_wanted(&self) -> bool {
        // The waiter holds the other one.
        Arc::strong_count(&self.promise.0) > 1
    }

    fn run(self: Box<Self>) {
        let Self { promise, job } = *self;
        let result = job();
        promise.0.state().result = Some(result);
    }

    fn turn_away(self: Box<Self>) {
        self.promise.0.state().over = Some(NotDone::Crowded);
    }
}

struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    result: Option<T>,
    /// The job has ended; if there is no result, why.
    over: Option<NotDone>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job's end. Dropped without a result, it tells that there will be none.
struct Promise<T>(Arc<Slot<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.over.get_or_insert(NotDone::Lost);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// The waiter's end.
struct Outcome<T>(Arc<Slot<T>>);

impl<T> Future for Outcome<T> {
    type Output = Result<T, NotDone>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        match (state.result.take(), state.over) {
            (Some(result), _) => Poll::Ready(Ok(result)),
            (None, Some(why)) => Poll::Ready(Err(why)),
            (None, None) => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Whether a call may still be given up because nobody waits for its answer. Given up by whoever carries it, and only
/// until it has decided to change something: from then on it goes to its end, event and all.
#[derive(Clone, Debug, Default)]
pub struct Abandonment(Option<Arc<AtomicU8>>);

const OPEN: u8 = 0;
const DECIDED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Abandonment {
    /// For a call that can be given up. The default is for one that cannot.
    pub fn possible() -> Self {
        Self(Some(Arc::new(AtomicU8::new(OPEN))))
    }

    /// Gives the call up, unless it has decided. If so its future is to be dropped: it goes no further.
    #[must_use]
    pub fn give_up(&self) -> bool {
        self.0.as_ref().is_some_and(|state| turn(state, GIVEN_UP))
    }

    /// Waits for ever if the call was given up; otherwise it cannot be given up any more.
    pub async fn decide(&self) {
        if self.0.as_ref().is_some_and(|state| !turn(state, DECIDED) && state.load(Ordering::Acquire) == GIVEN_UP) {
            std::future::pending::<()>().await;
        }
    }
}

fn turn(state: &AtomicU8, to: u8) -> bool {
    state.compare_exchange(OPEN, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// Records that a loop over many handles between two breaths: well under a millisecond of work.
pub const RECORDS_A_BREATH: usize = 64;

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

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn is_pending(future: impl Future<Output = ()>) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[test]
    fn a_call_is_given_up_before_it_decides_or_never() {
        let given_up = Abandonment::possible();
        assert!(given_up.clone().give_up());
        assert!(is_pending(given_up.decide()), "goes no further");
        let decided = Abandonment::possible();
        assert!(!is_pending(decided.decide()));
        assert!(!decided.give_up());
        assert!(!is_pending(decided.decide()), "a second try of the same call");
        let fixed = Abandonment::default();
        assert!(!fixed.give_up());
        assert!(!is_pending(fixed.decide()));
    }
}
