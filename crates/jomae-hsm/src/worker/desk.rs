//! Where requests wait for a thread, and answers for being written.
//!
//! A change of thread and a message of its own cost more than a short operation of a module. So no more threads are woken for
//! short operations than there are processors, and answers to them go together; what may take long has a thread at once, and
//! holds up no answer. What is short has been measured. Whoever is wrong about that is put right within [`TICK`]: the reader of
//! the socket looks whether something waits.

use std::{
    collections::VecDeque,
    io,
    os::unix::net::UnixStream,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::lock;
use crate::{
    kind::Kind,
    wire::{self, FromWorker, Request},
};

/// How long a request or an answer waits at most for nothing; first, and after nothing was to be done.
pub const TICK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// What is not longer is short.
const SHORT: Duration = Duration::from_micros(100);
/// Requests read ahead; further ones wait in the socket.
const AHEAD_MAX: usize = 64;
/// Answers that go together at most.
const TOGETHER_MAX: usize = 16;
/// As many long operations of a kind, and none that was short, make it a long one. One that is short says more than one that is
/// long: that may have waited for a processor, or for another thread in the module.
const LONG_AFTER: u8 = 16;

/// How long the operations of each kind of key take.
pub struct Pace([AtomicU8; Kind::ALL.len()]);

impl Pace {
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU8::new(LONG_AFTER)))
    }

    /// Whether this will be short, by what was seen.
    pub fn is_short(&self, request: &Request) -> bool {
        let count = self.count(request);
        count.is_some_and(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Notes how long it took. Updates that are lost to another thread's do not matter.
    pub fn note(&self, request: &Request, took: Duration) {
        let Some(count) = self.count(request) else { return };
        let old = count.load(Ordering::Relaxed);
        let new = if took <= SHORT { LONG_AFTER } else { old.saturating_sub(1) };
        if new != old {
            count.store(new, Ordering::Relaxed);
        }
    }

    fn count(&self, request: &Request) -> Option<&AtomicU8> {
        let (Request::Seal { key, .. }
        | Request::Open { key, .. }
        | Request::Sign { key, .. }
        | Request::Decrypt { key, .. }
        | Request::Mac { key, .. }) = request
        else {
            return None;
        };
        let nth = Kind::ALL.iter().position(|kind| *kind == key.kind)?;
        self.0.get(nth)
    }
}

/// A request, and whether it will be short.
pub struct Task {
    pub call: u64,
    pub request: Request,
    pub is_short: bool,
}

/// Requests that wait for a thread.
pub struct Inbox {
    state: Mutex<Waiting>,
    work: Condvar,
    room: Condvar,
    threads: usize,
    processors: usize,
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    /// Threads that sleep.
    idle: usize,
    /// Of them, those that have been woken and do not know it yet.
    woken: usize,
    reader_waits: bool,
}

impl Inbox {
    pub fn new(threads: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { state: Mutex::default(), work: Condvar::new(), room: Condvar::new(), threads, processors }
    }

    /// Takes in what was read, and wakes whom it needs. True if there is no room for more.
    pub fn put(&self, tasks: &mut Vec<Task>) -> bool {
        let long = tasks.iter().filter(|task| !task.is_short).count();
        let short = tasks.len() - long;
        let mut state = lock(&self.state);
        state.tasks.extend(tasks.drain(..));
        let busy = (self.threads + state.woken).saturating_sub(state.idle);
        let wanted = long + short.min(self.processors.saturating_sub(busy + long));
        let is_full = state.tasks.len() >= AHEAD_MAX;
        self.wake(state, wanted);
        is_full
    }

    fn wake(&self, mut state: std::sync::MutexGuard<'_, Waiting>, wanted: usize) {
        let count = wanted.min(state.idle.saturating_sub(state.woken));
        state.woken += count;
        drop(state);
        for _ in 0..count {
            self.work.notify_one();
        }
    }

    /// Wakes one more thread if something waits. False if there is nothing to be done and every thread sleeps.
    pub fn tick(&self) -> bool {
        let state = lock(&self.state);
        let (waits, sleeps) = (!state.tasks.is_empty(), state.idle >= self.threads);
        if waits {
            self.wake(state, 1);
        }
        waits || !sleeps
    }

    /// Waits until there is room again, or somebody is to be woken for it.
    pub fn wait_for_room(&self) {
        let mut state = lock(&self.state);
        state.reader_waits = true;
        while state.tasks.len() >= AHEAD_MAX {
            let (again, timeout) = self.room.wait_timeout(state, TICK.0).unwrap_or_else(PoisonError::into_inner);
            state = again;
            if timeout.timed_out() {
                break;
            }
        }
        state.reader_waits = false;
    }

    /// The next request. Answers that wait are written before the thread sleeps, or goes about something long.
    pub fn next(&self, outbox: &Outbox) -> io::Result<Task> {
        let mut state = lock(&self.state);
        loop {
            if let Some(task) = state.tasks.pop_front() {
                let wakes_reader = state.reader_waits && state.tasks.len() < AHEAD_MAX / 2;
                drop(state);
                if wakes_reader {
                    self.room.notify_one();
                }
                if !task.is_short {
                    outbox.flush()?;
                }
                return Ok(task);
            }
            drop(state);
            outbox.flush()?;
            state = lock(&self.state);
            if state.tasks.is_empty() {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                state.woken = state.woken.saturating_sub(1);
            }
        }
    }
}

/// Answers on their way. Whoever finds nobody writing writes for all.
pub struct Outbox {
    stream: UnixStream,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    frames: Vec<Zeroizing<Vec<u8>>>,
    /// When the first of them came.
    since: Option<Instant>,
    is_writing: bool,
}

impl Outbox {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, pending: Mutex::default() }
    }

    /// Puts an answer to those that wait, and writes them if they have waited long or are many.
    pub fn put(&self, call: u64, message: &FromWorker, now: Instant) -> io::Result<()> {
        let frame = wire::encode(call, message)?;
        let mut pending = lock(&self.pending);
        pending.frames.push(frame);
        let since = *pending.since.get_or_insert(now);
        let is_due = pending.frames.len() >= TOGETHER_MAX || now.saturating_duration_since(since) > SHORT;
        drop(pending);
        if is_due { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub fn flush(&self) -> io::Result<()> {
        let mut pending = lock(&self.pending);
        if pending.is_writing {
            return Ok(());
        }
        loop {
            let frames = std::mem::take(&mut pending.frames);
            pending.since = None;
            pending.is_writing = !frames.is_empty();
            if frames.is_empty() {
                return Ok(());
            }
            drop(pending);
            wire::write_frames(&self.stream, &frames)?;
            pending = lock(&self.pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::KeyRef;

    fn sign(kind: Kind) -> Request {
        let key = KeyRef { kind, id: [1; 16] };
        Request::Sign { key, algorithm: crate::kind::Algorithm::Ecdsa, input: Vec::new() }
    }

    #[test]
    fn a_kind_is_long_when_nothing_of_it_was_short() {
        let (pace, slow, other) = (Pace::new(), sign(Kind::Rsa2048Sign), sign(Kind::EcP256));
        for _ in 0..LONG_AFTER {
            assert!(pace.is_short(&slow));
            pace.note(&slow, Duration::from_millis(1));
        }
        assert!(!pace.is_short(&slow) && pace.is_short(&other));
        pace.note(&slow, SHORT);
        assert!(pace.is_short(&slow));
        let make = Request::List { skip: 0 };
        pace.note(&make, Duration::ZERO);
        assert!(!pace.is_short(&make), "what is no operation with a key may always take long");
    }

    fn tasks(count: u64, is_short: bool) -> Vec<Task> {
        (0..count).map(|call| Task { call, request: sign(Kind::EcP256), is_short }).collect()
    }

    #[test]
    fn what_waits_is_taken_in_order_and_a_full_inbox_says_so() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (inbox, outbox) = (Inbox::new(1), Outbox::new(ours));
        assert!(!inbox.put(&mut tasks(AHEAD_MAX as u64 - 1, true)));
        assert!(inbox.put(&mut tasks(1, false)), "no room for more");
        for call in (0..AHEAD_MAX as u64 - 1).chain([0]) {
            assert_eq!(inbox.next(&outbox).unwrap().call, call);
        }
        assert!(inbox.tick(), "its one thread does not sleep");
    }

    #[test]
    fn answers_go_before_something_long_begins() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (inbox, outbox) = (Inbox::new(1), Outbox::new(ours));
        theirs.set_nonblocking(true).unwrap();
        let mut frames = wire::Frames::new(theirs);
        let answer = FromWorker::Answer(wire::Answer::Done);
        inbox.put(&mut [tasks(1, true), tasks(1, false)].into_iter().flatten().collect());
        outbox.put(7, &answer, Instant::now()).unwrap();
        inbox.next(&outbox).unwrap();
        let waits = frames.read_message::<FromWorker>().err().map(|error| error.kind());
        assert_eq!(waits, Some(io::ErrorKind::WouldBlock), "with something short it may wait");
        inbox.next(&outbox).unwrap();
        assert_eq!(frames.read_message::<FromWorker>().unwrap().unwrap().0, 7);
    }
}
