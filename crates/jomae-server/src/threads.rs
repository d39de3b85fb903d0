//! The threads that carry requests, those that carry costly calls, and who goes first.
//!
//! Quick calls are what most clients wait for, and need a processor for some 30 µs. In the normal class of the kernel such a thread waits
//! for up to a tick (4 ms) behind one that computes, as where somebody has RSA keys made. So the threads of requests are
//! in the real-time class, where the system permits it, as long as they need less than half of the processors: a flood
//! of quick calls must not starve the threads that sign, make keys and write the log.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::thread::Pid;
use tokio::runtime::{Builder, Handle, Runtime};
use uapi::c;

use crate::config::Config;

/// A busy thread looks after so many tasks whether other connections have something to read. The runtime's own 61 let a client
/// wait for the work of as many strangers.
const EVENT_INTERVAL: u32 = 4;
/// How much the threads for costly calls stand back, as `nice` counts: as much as those that make keys.
const COSTLY_NICE: i32 = 5;
/// The lowest priority of the real-time class: all others in it go first.
const REAL_TIME_PRIORITY: c::c_int = 1;
/// How often it is looked how busy the threads of requests are, and over how many looks the mean is taken: a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 10;
/// The part of the processors that they may need in the real-time class, and how little they must need to be in it again; in per cent.
const BUSY_MAX: u128 = 50;
const CALM_MAX: u128 = 40;
/// How long a start waits for the threads of the runtime.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Threads that carry requests.
pub(crate) struct Workers(Vec<Pid>);

/// The runtime for everything but costly calls, and its threads.
pub(crate) fn for_requests(config: &Config) -> io::Result<(Runtime, Workers)> {
    let threads = config.worker_threads();
    let started = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    let starting = Arc::clone(&started);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .on_thread_start(move || {
            let (ids, changed) = &*starting;
            let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
            // The first ones: later ones are for work that blocks.
            if ids.len() < threads {
                ids.push(rustix::thread::gettid());
                changed.notify_one();
            }
        })
        .build()?;
    let (ids, changed) = &*started;
    let ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = changed.wait_timeout_while(ids, START_TIMEOUT, |ids| ids.len() < threads);
    let (ids, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let workers = Workers(ids.clone());
    drop(ids);
    Ok((runtime, workers))
}

/// The runtime for costly calls: fewer threads than there are for requests, one at least.
pub(crate) fn for_costly_calls(config: &Config) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(config.threads_but_one())
        .thread_name("costly")
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .on_thread_start(|| {
            // Of this thread alone. Where it is not allowed, only the order of work suffers.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), COSTLY_NICE);
        })
        .build()
}

impl Workers {
    /// Lets these threads, of the runtime that drives this, go first as long as they need little. Ends only where the system
    /// does not permit it.
    pub(crate) async fn go_first(self) {
        if let Err(error) = self.put_in(Class::RealTime) {
            tracing::debug!(%error, "the threads of requests stay in the normal class");
            // Some may be in the other one, where nobody looks after them from now on.
            let _ = self.put_in(Class::Normal);
            return;
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u128;
        let mut standing = Standing::default();
        let mut before = (Instant::now(), busy());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = (Instant::now(), busy());
            let all = (now.0 - before.0).as_nanos() * processors;
            let busy_percent = now.1.saturating_sub(before.1).as_nanos() * 100 / all.max(1);
            before = now;
            if let Some(class) = standing.look(busy_percent)
                && let Err(error) = self.put_in(class)
            {
                tracing::warn!(%error, ?class, "cannot change the class of the threads of requests");
            }
        }
    }

    fn put_in(&self, class: Class) -> Result<(), uapi::Errno> {
        let (policy, priority) = match class {
            Class::RealTime => (c::SCHED_RR, REAL_TIME_PRIORITY),
            Class::Normal => (c::SCHED_OTHER, 0),
        };
        let priority = c::sched_param { sched_priority: priority };
        for id in &self.0 {
            // What such a thread starts, another thread or a process, starts in the normal class.
            uapi::sched_setscheduler(id.as_raw_nonzero().get(), policy | c::SCHED_RESET_ON_FORK, &priority)?;
        }
        Ok(())
    }
}

/// How long the threads of this runtime have been busy, together.
fn busy() -> Duration {
    let metrics = Handle::current().metrics();
    (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker)).sum()
}

/// A class of the kernel's scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    RealTime,
    Normal,
}

/// Whether the threads of requests stand back, and how busy they have been, in per cent.
#[derive(Default)]
struct Standing {
    back: bool,
    looks: [u128; LOOKS],
    oldest: usize,
}

impl Standing {
    /// The class that the threads belong in from now on, if it is another one.
    fn look(&mut self, busy_percent: u128) -> Option<Class> {
        if let Some(oldest) = self.looks.get_mut(self.oldest) {
            *oldest = busy_percent;
        }
        self.oldest = (self.oldest + 1) % LOOKS;
        let mean = self.looks.iter().sum::<u128>() / LOOKS as u128;
        let back = mean >= if self.back { CALM_MAX } else { BUSY_MAX };
        let class = if back { Class::Normal } else { Class::RealTime };
        (std::mem::replace(&mut self.back, back) != back).then_some(class)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        process::Command,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// Whether a thread is in the real-time class: proc(5), `stat`, field 41.
    fn is_real_time(id: Pid) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", id.as_raw_nonzero())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_ascii_whitespace().nth(38).unwrap().parse() == Ok(c::SCHED_RR)
    }

    fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn threads_that_are_always_busy_stand_back_and_come_again() {
        let (runtime, workers) = for_requests(&Config::default()).unwrap();
        let ids = workers.0.clone();
        assert_eq!(ids.len(), Config::default().worker_threads());
        // What the system permits to `chrt`, it permits to us.
        let permitted = Command::new("chrt").args(["--rr", "1", "true"]).output().expect("chrt").status.success();
        assert_eq!(workers.put_in(Class::RealTime).is_ok(), permitted);
        let all = |real_time: bool| ids.iter().all(|id| is_real_time(*id) == real_time);
        assert!(all(permitted));
        runtime.spawn(workers.go_first());
        let stop = Arc::new(AtomicBool::new(false));
        // Enough for each thread to take some.
        for _ in 0..8 * ids.len() {
            let stop = Arc::clone(&stop);
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_micros(200) {}
                    tokio::task::yield_now().await;
                }
            });
        }
        wait_until("they stand back", || all(false));
        stop.store(true, Ordering::Relaxed);
        wait_until("they go first again", || all(permitted));
        let started = runtime.spawn(async { tokio::task::spawn_blocking(rustix::thread::gettid).await.unwrap() });
        assert!(!is_real_time(runtime.block_on(started).unwrap()), "what such a thread starts does not");
    }

    #[test]
    fn who_needs_too_much_for_long_stands_back_until_it_has_needed_little() {
        let mut standing = Standing::default();
        for _ in 0..LOOKS * 3 {
            assert_eq!(standing.look(49), None);
        }
        for _ in 0..LOOKS / 2 {
            assert_eq!(standing.look(0), None);
        }
        for _ in 0..LOOKS / 2 - 1 {
            assert_eq!(standing.look(100), None, "a burst");
        }
        assert_eq!(standing.look(100), Some(Class::Normal));
        assert_eq!(standing.look(100), None);
        for _ in 0..LOOKS - 1 {
            assert_eq!(standing.look(41), None);
        }
        for _ in 0..LOOKS {
            assert_eq!(standing.look(41), None, "still more than little");
        }
        let back = (0..LOOKS).find_map(|_| standing.look(20));
        assert_eq!(back, Some(Class::RealTime));
        assert_eq!(standing.look(20), None);
    }
}
