//! Waiting, without a runtime, and work that must not be done on a request's thread.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_channel::oneshot;
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
    /// The hash of a password: some dozens of milliseconds, and 20 MiB. Strangers can ask for it, so it delays nothing else.
    Password,
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
    let (waiter, done) = oneshot::channel();
    pool.run(effort, account, Box::new(Promised { waiter, job }));
    // A job that is lost drops its end.
    Box::pin(async { done.await.unwrap_or(Err(NotDone::Lost)) })
}

struct Promised<T, J> {
    waiter: oneshot::Sender<Result<T, NotDone>>,
    job: J,
}

impl<T: Send, J: FnOnce() -> T + Send> Job for Promised<T, J> {
    fn is_wanted(&self) -> bool {
        !self.waiter.is_canceled()
    }

    fn run(self: Box<Self>) {
        let Self { waiter, job } = *self;
        let _nobody_waits = waiter.send(Ok(job()));
    }

    fn turn_away(self: Box<Self>) {
        let _nobody_waits = self.waiter.send(Err(NotDone::Crowded));
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

/// Records that a loop over many handles before it yields: well under a millisecond of work.
pub const RECORDS_PER_YIELD: usize = 64;

/// Lets other tasks run; for loops over many records.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Knows whether it has been used.
struct Noting {
    waker: Waker,
    was_used: AtomicBool,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.was_used.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }
}

/// Drives a future to its end, and lets go of something the first time that it waits for somebody else: from then on it keeps
/// no thread busy for long. What was woken while it ran, as by [`yield_now`], goes on at once and does not count as waiting.
pub async fn let_go_when_waiting<F: Future + ?Sized>(mut future: Pin<&mut F>, let_go: impl FnOnce()) -> F::Output {
    let (mut let_go, mut noting): (_, Option<Arc<Noting>>) = (Some(let_go), None);
    poll_fn(|cx| {
        if let_go.is_none() {
            return future.as_mut().poll(cx);
        }
        let noting = match &noting {
            Some(noting) if noting.waker.will_wake(cx.waker()) => noting,
            _ => noting.insert(Arc::new(Noting { waker: cx.waker().clone(), was_used: AtomicBool::new(false) })),
        };
        noting.was_used.store(false, Ordering::Release);
        let polled = future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(noting))));
        if polled.is_pending()
            && !noting.was_used.load(Ordering::Acquire)
            && let Some(let_go) = let_go.take()
        {
            let_go();
        }
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, pin::pin};

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
    #[test]
    fn what_waits_for_somebody_else_lets_go_and_what_goes_on_at_once_does_not() {
        let (told, waits) = oneshot::channel();
        let gone = Cell::new(false);
        let mut work = pin!(async {
            yield_now().await;
            assert!(!gone.get(), "it has only let others run");
            waits.await
        });
        let mut call = pin!(let_go_when_waiting(work.as_mut(), || gone.set(true)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        assert!(!gone.get());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        assert!(gone.get());
        told.send(7).unwrap();
        assert_eq!(call.as_mut().poll(&mut cx), Poll::Ready(Ok(7)));
    }

    /// Whoever drives it may hand it to another task while it waits.
    #[test]
    fn the_task_that_drives_it_now_is_woken() {
        struct Counting(AtomicU8);
        impl Wake for Counting {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let counts: [Arc<Counting>; 2] = std::array::from_fn(|_| Arc::new(Counting(AtomicU8::new(0))));
        let woken = || counts.each_ref().map(|count| count.0.load(Ordering::SeqCst));
        let [first, second] = counts.each_ref().map(|count| Waker::from(Arc::clone(count)));
        let (told, waits) = oneshot::channel::<()>();
        let mut work = pin!(async {
            yield_now().await;
            yield_now().await;
            waits.await
        });
        let mut call = pin!(let_go_when_waiting(work.as_mut(), || {}));
        assert!(call.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
        assert_eq!(woken(), [1, 0]);
        assert!(call.as_mut().poll(&mut Context::from_waker(&second)).is_pending());
        assert_eq!(woken(), [1, 1]);
        assert!(call.as_mut().poll(&mut Context::from_waker(&second)).is_pending());
        told.send(()).unwrap();
        assert_eq!(woken(), [1, 2]);
    }
}
