//! Threads for cryptography that would hold up a request. Each kind of work has threads of its own, so that a batch of
//! new RSA keys delays neither a signature nor a new key of a curve; within a kind accounts take turns.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use jomae_api::names::AccountId;
use jomae_core::{
    turns::Turns,
    wait::{Effort, Job, Pool},
};

/// Jobs of each kind that may wait; an account may have as many waiting as are free.
const OPERATIONS_WAITING_MAX: usize = 1024;
const QUICK_KEYS_WAITING_MAX: usize = 1024;
const KEYS_WAITING_MAX: usize = 128;
const PASSWORDS_WAITING_MAX: usize = 64;

/// How much the threads stand back for those of requests, which do the most calls: as `nice` counts.
const OPERATIONS_NICE: i32 = 2;
const KEYS_NICE: i32 = 5;

/// The pool. Its threads end when it is dropped.
pub struct CryptoPool {
    operations: Workers,
    quick_keys: Workers,
    keys: Workers,
    passwords: Workers,
}

impl CryptoPool {
    /// Starts `threads` threads for operations, one fewer but at least one for RSA keys, one for keys that take
    /// microseconds, and one for passwords.
    ///
    /// An RSA key computes for up to seconds, and a thread that wakes on its core waits for the kernel's next tick, whatever
    /// their priorities: with one core left free of them, a request does not.
    pub fn start(threads: usize) -> io::Result<Self> {
        Ok(Self {
            operations: Workers::start("crypto", threads, OPERATIONS_NICE, OPERATIONS_WAITING_MAX)?,
            quick_keys: Workers::start("keygen-quick", 1, OPERATIONS_NICE, QUICK_KEYS_WAITING_MAX)?,
            keys: Workers::start("keygen", threads.saturating_sub(1), KEYS_NICE, KEYS_WAITING_MAX)?,
            passwords: Workers::start("password", 1, KEYS_NICE, PASSWORDS_WAITING_MAX)?,
        })
    }
}

impl Pool for CryptoPool {
    fn run(&self, effort: Effort, account: &AccountId, job: Box<dyn Job>) {
        let workers = match effort {
            Effort::Operation => &self.operations,
            Effort::QuickGeneration => &self.quick_keys,
            Effort::Generation => &self.keys,
            Effort::Password => &self.passwords,
        };
        workers.take(account, job);
    }
}

/// Threads for one kind of work.
struct Workers(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    turns: Turns<AccountId, Box<dyn Job>>,
    closed: bool,
}

impl Workers {
    fn start(name: &str, threads: usize, nice: i32, waiting_max: usize) -> io::Result<Self> {
        let state = Mutex::new(State { turns: Turns::new(waiting_max), closed: false });
        let workers = Self(Arc::new(Queue { state, changed: Condvar::new() }));
        for _ in 0..threads.max(1) {
            let queue = Arc::clone(&workers.0);
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                // Of this thread alone. Where it is not allowed, only the order of work suffers.
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), nice);
                queue.work();
            })?;
        }
        Ok(workers)
    }

    fn take(&self, account: &AccountId, job: Box<dyn Job>) {
        let pushed = self.0.state().turns.push(account, job, |job| job.is_wanted());
        match pushed {
            Ok(()) => self.0.changed.notify_one(),
            Err(job) => job.turn_away(),
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        while !state.closed {
            let Some((turn, job)) = state.turns.pop() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let began = Instant::now();
            if job.is_wanted() {
                // A panic ends the job, whose waiter is told; the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run()));
            } else {
                drop(job);
            }
            let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            state = self.state();
            state.turns.done(turn, took_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use jomae_core::wait::{NotDone, offload};

    use super::*;

    fn account(n: u64) -> AccountId {
        AccountId::new(&(1_000_000_000_000_000 + n).to_string()).unwrap()
    }

    /// Keeps the threads of a kind busy until the sender is dropped.
    fn busy(pool: &CryptoPool, effort: Effort, threads: usize) -> mpsc::SyncSender<()> {
        let (gate, waits) = mpsc::sync_channel::<()>(0);
        let waits = Arc::new(Mutex::new(waits));
        let (ready, begun) = mpsc::channel();
        for _ in 0..threads {
            let (waits, ready) = (Arc::clone(&waits), ready.clone());
            // Nobody waits for it, so the future is kept.
            std::mem::forget(offload(pool, effort, &account(0), move || {
                ready.send(()).unwrap();
                let _ = waits.lock().unwrap().recv();
            }));
        }
        for _ in 0..threads {
            begun.recv().unwrap();
        }
        gate
    }

    #[tokio::test]
    async fn jobs_give_their_results() {
        let pool = CryptoPool::start(2).unwrap();
        let results: Vec<_> =
            (0..100u64).map(|n| offload(&pool, Effort::Operation, &account(n), move || n * n)).collect();
        for (n, result) in (0..100u64).zip(results) {
            assert_eq!(result.await, Ok(n * n));
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_lost_job_and_nothing_more() {
        let pool = CryptoPool::start(1).unwrap();
        let lost = offload(&pool, Effort::Generation, &account(1), || -> u8 { panic!("a bug") });
        assert_eq!(lost.await, Err(NotDone::Lost));
        assert_eq!(offload(&pool, Effort::Generation, &account(1), || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn one_account_does_not_fill_the_line_and_another_is_next() {
        let pool = CryptoPool::start(1).unwrap();
        let hold = busy(&pool, Effort::Generation, 1);
        let (done, order) = mpsc::channel();
        let mut waiting = Vec::new();
        for n in 0..KEYS_WAITING_MAX {
            let done = done.clone();
            waiting.push((n, offload(&pool, Effort::Generation, &account(1), move || done.send(1).unwrap())));
        }
        let other = offload(&pool, Effort::Generation, &account(2), move || done.send(2).unwrap());
        drop(hold);
        let (mut taken, mut turned_away) = (0, 0);
        for (_, job) in waiting {
            match job.await {
                Ok(()) => taken += 1,
                Err(why) => {
                    assert_eq!(why, NotDone::Crowded);
                    turned_away += 1;
                }
            }
        }
        assert_eq!(other.await, Ok(()));
        assert_eq!((taken, turned_away), (KEYS_WAITING_MAX / 2, KEYS_WAITING_MAX / 2));
        let order: Vec<_> = order.iter().collect();
        assert!(order.iter().position(|who| *who == 2).unwrap() <= 2, "{order:?}");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_done() {
        let pool = CryptoPool::start(1).unwrap();
        let hold = busy(&pool, Effort::Generation, 1);
        let (done, order) = mpsc::channel();
        for n in 0..10 * KEYS_WAITING_MAX {
            let done = done.clone();
            drop(offload(&pool, Effort::Generation, &account(1), move || done.send(n).unwrap()));
        }
        let last = offload(&pool, Effort::Generation, &account(1), move || done.send(usize::MAX).unwrap());
        drop(hold);
        assert_eq!(last.await, Ok(()));
        assert_eq!(order.iter().collect::<Vec<_>>(), [usize::MAX]);
    }

    #[tokio::test]
    async fn quick_keys_do_not_wait_for_slow_ones() {
        let pool = CryptoPool::start(3).unwrap();
        let _hold = busy(&pool, Effort::Generation, 2);
        assert_eq!(offload(&pool, Effort::QuickGeneration, &account(1), || 7).await, Ok(7));
        assert_eq!(offload(&pool, Effort::Operation, &account(1), || 8).await, Ok(8));
    }

    #[tokio::test]
    async fn threads_stand_back_for_requests() {
        let pool = CryptoPool::start(1).unwrap();
        let nice = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let ours = nice();
        assert_eq!(offload(&pool, Effort::Generation, &account(1), nice).await, Ok(ours.max(KEYS_NICE)));
        assert_eq!(nice(), ours, "of those threads alone");
    }
}
