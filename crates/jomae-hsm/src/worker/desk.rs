//! Where requests wait for a thread, and answers for being written.
//!
//! A change of thread and a message of its own cost more than a short operation of a module. So the threads take turns at reading
//! requests, and who has read goes on with the first of them; answers to short operations go together; what may take long has a
//! thread at once, and holds up no answer. How many threads are woken for short ones is bounded; for brief ones none is, as locks
//! within a module make two of them slower than one. What is brief or short has been measured. Whoever is wrong about that is
//! put right within two [`TICK`]s ([`Inbox::watch`]).

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use super::lock;
use crate::{
    kind::Kind,
    wire::{Batch, Frames, FromWorker, Request},
};

/// How long the pauses are between two looks at whether something waits for nothing: at first, and when nothing goes on.
const TICK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// What is not longer is brief, or short.
const BRIEF: Duration = Duration::from_micros(40);
const SHORT: Duration = Duration::from_micros(100);
/// Threads of a worker that is alone, for short operations, for each processor. More than one: a thread that waits for a lock
/// within the module leaves its processor to another. Each of several workers has locks of its own, and its share of the processors.
const THREADS_PER_PROCESSOR: usize = 2;
/// Answers that go together at most, and how long the first of them waits while there is more to do.
const TOGETHER_MAX: usize = 16;
const TOGETHER: Duration = Duration::from_micros(200);
/// As many long operations of a kind, and none that was short, make it a long one. One that is short says more than one that is
/// long: that may have waited for a processor, or for another thread in the module.
const LONGER_AFTER: u8 = 16;

/// How long an operation will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As long as it takes to wake a thread.
    Brief,
    Short,
    Long,
}

/// How long the operations of each kind of key take.
pub struct Pace([Counts; Kind::ALL.len()]);

/// How many more operations that are longer than brief, and than short, make a kind longer than that.
struct Counts {
    brief: AtomicU8,
    short: AtomicU8,
}

impl Pace {
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| Counts { brief: AtomicU8::new(LONGER_AFTER), short: AtomicU8::new(LONGER_AFTER) }))
    }

    /// How long this will take, by what was seen.
    pub fn length(&self, request: &Request) -> Length {
        match self.counts(request) {
            Some(counts) if counts.brief.load(Ordering::Relaxed) > 0 => Length::Brief,
            Some(counts) if counts.short.load(Ordering::Relaxed) > 0 => Length::Short,
            _ => Length::Long,
        }
    }

    /// Notes how long it took. Updates that are lost to another thread's do not matter.
    pub fn note(&self, request: &Request, took: Duration) {
        let Some(counts) = self.counts(request) else { return };
        for (count, limit) in [(&counts.brief, BRIEF), (&counts.short, SHORT)] {
            let old = count.load(Ordering::Relaxed);
            let new = if took <= limit { LONGER_AFTER } else { old.saturating_sub(1) };
            if new != old {
                count.store(new, Ordering::Relaxed);
            }
        }
    }

    fn counts(&self, request: &Request) -> Option<&Counts> {
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

/// A request, and how long it will take.
pub struct Task {
    pub call: u64,
    pub request: Request,
    pub length: Length,
}

/// Requests that wait for a thread, and the socket that they come from. The threads take turns at reading it: who finds nothing
/// to do and nobody reading reads for all.
pub struct Inbox {
    frames: Mutex<Frames<UnixStream>>,
    state: Mutex<Waiting>,
    work: Condvar,
    watch: Condvar,
    threads: usize,
    threads_for_short: usize,
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    is_being_read: bool,
    /// Threads that sleep.
    idle: usize,
    /// Of them, those that have been woken and do not know it yet.
    woken: usize,
    /// Requests taken so far.
    taken: u64,
    /// Whether whoever looks after them is to be woken when something comes.
    watch_rests: bool,
}

impl Inbox {
    /// For as many threads, in one of so many workers.
    pub fn new(frames: Frames<UnixStream>, threads: usize, workers: u16) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads_for_short = match usize::from(workers) {
            0 | 1 => processors * THREADS_PER_PROCESSOR,
            workers => processors.div_ceil(workers),
        };
        Self {
            frames: Mutex::new(frames),
            state: Mutex::default(),
            work: Condvar::new(),
            watch: Condvar::new(),
            threads,
            threads_for_short,
        }
    }

    /// The next request; none when the client has closed its end. Answers that wait are written before the thread waits, or
    /// goes about something long.
    pub fn next(&self, pace: &Pace, outbox: &Outbox) -> io::Result<Option<Task>> {
        loop {
            let mut state = lock(&self.state);
            if let Some(task) = state.tasks.pop_front() {
                state.taken = state.taken.wrapping_add(1);
                if task.length == Length::Long {
                    // What comes meanwhile is to be read by somebody.
                    let wanted = usize::from(!state.is_being_read && state.woken == 0);
                    self.wake(state, wanted);
                    outbox.flush()?;
                }
                return Ok(Some(task));
            }
            let is_being_read = std::mem::replace(&mut state.is_being_read, true);
            drop(state);
            if !is_being_read {
                let Some(tasks) = self.read(pace, outbox)? else { return Ok(None) };
                self.put(tasks);
                continue;
            }
            outbox.flush()?;
            let mut state = lock(&self.state);
            if state.tasks.is_empty() && state.is_being_read {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                state.woken = state.woken.saturating_sub(1);
            }
        }
    }

    /// Requests, as many as are there; waits for the first. None when the client has closed its end.
    fn read(&self, pace: &Pace, outbox: &Outbox) -> io::Result<Option<Vec<Task>>> {
        let mut frames = lock(&self.frames);
        // With more to do at once, answers to it can go with those that wait.
        if !frames.has_come() {
            outbox.flush()?;
        }
        let mut next = frames.read_message()?;
        let mut tasks = Vec::new();
        while let Some((call, request)) = next {
            let length = pace.length(&request);
            tasks.push(Task { call, request, length });
            next = frames.next_message()?;
        }
        Ok((!tasks.is_empty()).then_some(tasks))
    }

    /// Takes in what was read, and wakes whom it needs beside the one who has read it.
    fn put(&self, tasks: Vec<Task>) {
        let of = |length| tasks.iter().filter(|task| task.length == length).count();
        let (brief, short, long) = (of(Length::Brief), of(Length::Short), of(Length::Long));
        let mut state = lock(&self.state);
        state.tasks.extend(tasks);
        state.is_being_read = false;
        let watch_rests = std::mem::take(&mut state.watch_rests);
        let others_busy = (self.threads + state.woken).saturating_sub(state.idle + 1);
        let at_once = short.min(self.threads_for_short.saturating_sub(others_busy + long));
        let at_once = long + at_once.max(usize::from(brief > 0));
        self.wake(state, at_once.saturating_sub(1));
        if watch_rests {
            self.watch.notify_one();
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, Waiting>, wanted: usize) {
        let count = wanted.min(state.idle.saturating_sub(state.woken));
        state.woken += count;
        drop(state);
        for _ in 0..count {
            self.work.notify_one();
        }
    }

    /// Sees to it that neither request nor answer waits for a thread that is busy for longer than was thought. Looks often while
    /// requests are taken, ever more seldom while none are, and not at all while there are none.
    pub fn watch(&self, outbox: &Outbox) -> io::Result<()> {
        let (mut seen, mut pause) = (0, TICK.0);
        loop {
            let mut state = lock(&self.state);
            let is_quiet = state.tasks.is_empty() && state.is_being_read && state.idle + 1 >= self.threads;
            state.watch_rests = pause > TICK.0;
            let rest = if is_quiet && pause >= TICK.1 { Duration::MAX } else { pause };
            let goes_on = |state: &mut Waiting| pause <= TICK.0 || state.watch_rests;
            let waited = self.watch.wait_timeout_while(state, rest, goes_on);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let was_woken = pause > TICK.0 && !state.watch_rests;
            let progress = state.taken;
            if progress != seen || was_woken {
                (seen, pause) = (progress, TICK.0);
                drop(state);
            } else {
                pause = (pause * 2).min(TICK.1);
                let waits = !state.tasks.is_empty() || !state.is_being_read;
                self.wake(state, usize::from(waits));
            }
            outbox.flush()?;
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
    batch: Batch,
    count: usize,
    /// When the first of them came.
    since: Option<Instant>,
    is_writing: bool,
    /// Room that the next batch takes over.
    spare: Batch,
}

impl Outbox {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, pending: Mutex::default() }
    }

    /// Puts an answer to those that wait, and writes them if they have waited long or are many.
    pub fn put(&self, call: u64, message: &FromWorker, now: Instant) -> io::Result<()> {
        let mut pending = lock(&self.pending);
        pending.batch.push(call, message)?;
        pending.count += 1;
        let since = *pending.since.get_or_insert(now);
        let is_due = pending.count >= TOGETHER_MAX || now.saturating_duration_since(since) > TOGETHER;
        drop(pending);
        if is_due { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub fn flush(&self) -> io::Result<()> {
        let mut pending = lock(&self.pending);
        if pending.is_writing {
            return Ok(());
        }
        while !pending.batch.is_empty() {
            let spare = std::mem::take(&mut pending.spare);
            let mut batch = std::mem::replace(&mut pending.batch, spare);
            (pending.count, pending.since, pending.is_writing) = (0, None, true);
            drop(pending);
            (&self.stream).write_all(batch.bytes())?;
            batch.clear();
            pending = lock(&self.pending);
            pending.spare = batch;
        }
        pending.is_writing = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Answer, KeyRef};

    fn sign(kind: Kind) -> Request {
        let key = KeyRef { kind, id: [1; 16] };
        Request::Sign { key, algorithm: crate::kind::Algorithm::Ecdsa, input: Vec::new() }
    }

    #[test]
    fn a_kind_is_long_when_nothing_of_it_was_short() {
        let (pace, slow, other) = (Pace::new(), sign(Kind::Rsa2048Sign), sign(Kind::EcP256));
        for _ in 0..LONGER_AFTER {
            assert_eq!(pace.length(&slow), Length::Brief);
            pace.note(&slow, Duration::from_millis(1));
        }
        assert_eq!((pace.length(&slow), pace.length(&other)), (Length::Long, Length::Brief));
        pace.note(&slow, SHORT);
        assert_eq!(pace.length(&slow), Length::Short);
        pace.note(&slow, BRIEF);
        assert_eq!(pace.length(&slow), Length::Brief);
        let make = Request::List { skip: 0 };
        pace.note(&make, Duration::ZERO);
        assert_eq!(pace.length(&make), Length::Long, "what is no operation with a key may always take long");
    }

    /// A worker's desk and the client's end of its socket.
    fn desk(threads: usize) -> (Inbox, Outbox, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let frames = Frames::new(ours.try_clone().unwrap());
        (Inbox::new(frames, threads, 1), Outbox::new(ours), theirs)
    }

    fn send(to: &UnixStream, requests: impl IntoIterator<Item = (u64, Request)>) {
        let mut batch = Batch::default();
        for (call, request) in requests {
            batch.push(call, &request).unwrap();
        }
        (&*to).write_all(batch.bytes()).unwrap();
    }

    #[test]
    fn what_was_sent_is_taken_in_order_to_the_end_of_the_stream() {
        let (inbox, outbox, client) = desk(1);
        let pace = Pace::new();
        send(&client, (0..300).map(|call| (call, sign(Kind::EcP256))));
        drop(client);
        for call in 0..300 {
            assert_eq!(inbox.next(&pace, &outbox).unwrap().unwrap().call, call);
        }
        assert!(inbox.next(&pace, &outbox).unwrap().is_none());
    }

    #[test]
    fn answers_go_before_something_long_begins() {
        let (inbox, outbox, client) = desk(1);
        let pace = Pace::new();
        send(&client, [(1, sign(Kind::EcP256)), (2, Request::List { skip: 0 })]);
        client.set_nonblocking(true).unwrap();
        let mut frames = Frames::new(client);
        inbox.next(&pace, &outbox).unwrap();
        outbox.put(7, &FromWorker::Answer(Answer::Done), Instant::now()).unwrap();
        let waits = frames.read_message::<FromWorker>().err().map(|error| error.kind());
        assert_eq!(waits, Some(io::ErrorKind::WouldBlock), "while there is something short to do it may wait");
        inbox.next(&pace, &outbox).unwrap();
        assert_eq!(frames.read_message::<FromWorker>().unwrap().unwrap().0, 7);
    }

    #[test]
    fn what_is_longer_than_was_thought_holds_up_neither_requests_nor_answers() {
        let (inbox, outbox, client) = desk(3);
        let (inbox, outbox, pace) = (&*Box::leak(Box::new(inbox)), &*Box::leak(Box::new(outbox)), Pace::new());
        let pace = &*Box::leak(Box::new(pace));
        std::thread::spawn(|| inbox.watch(outbox));
        for _ in 0..3 {
            std::thread::spawn(|| {
                while let Some(task) = inbox.next(pace, outbox).unwrap() {
                    if task.call % 3 == 1 {
                        std::thread::sleep(Duration::from_secs(100));
                    }
                    outbox.put(task.call, &FromWorker::Answer(Answer::Done), Instant::now()).unwrap();
                }
            });
        }
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut frames = Frames::new(client.try_clone().unwrap());
        let mut answered = |call| assert_eq!(frames.read_message::<FromWorker>().unwrap().unwrap().0, call);
        // Two of three threads will be busy: with a request that others are behind, and with one that comes alone.
        send(&client, [0, 1, 2].map(|call| (call, sign(Kind::EcP256))));
        answered(0);
        answered(2);
        send(&client, [(4, sign(Kind::EcP256))]);
        std::thread::sleep(Duration::from_millis(300));
        send(&client, [(5, sign(Kind::EcP256))]);
        answered(5);
    }
}
