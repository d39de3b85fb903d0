//! Checkpoints for witnesses, so that no later log can deny what this one has signed.
//!
//! Each witness has a thread of its own and gets the newest checkpoint; what comes while it is busy is passed over,
//! since a later checkpoint covers all that an earlier one does. Nothing here holds up the log.

use std::{
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use jomae_files as files;

/// What failed is tried again after this, or with the next checkpoint.
const RETRY: Duration = Duration::from_secs(5);
/// So much of the end of a file is looked at, in bytes.
const END_BYTES: u64 = 64 * 1024;

/// Where checkpoints go.
pub trait Witness: Send {
    /// Sends a note. An error is one line for the operator.
    fn send(&mut self, note: &str) -> Result<(), String>;
}

/// The newest note, and the wait for the next one.
#[derive(Default)]
pub(crate) struct NewestCheckpoint {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    note: Option<Arc<str>>,
    /// How many there have been.
    number: u64,
    closed: bool,
}

/// How a wait has ended.
#[derive(Debug, PartialEq, Eq)]
enum Waited {
    Changed,
    TimedOut,
    Closed,
}

impl NewestCheckpoint {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, note: Arc<str>) {
        let mut state = self.state();
        state.note = Some(note);
        state.number += 1;
        self.changed.notify_all();
    }

    /// There will be no other.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    pub fn is_none(&self) -> bool {
        self.state().note.is_none()
    }

    /// The note, and its number.
    fn get(&self) -> (Option<Arc<str>>, u64) {
        let state = self.state();
        (state.note.clone(), state.number)
    }

    /// Waits for another than number `seen`, at most so long.
    fn wait(&self, seen: u64, at_most: Option<Duration>) -> Waited {
        let until = at_most.map(|at_most| Instant::now() + at_most);
        let mut state = self.state();
        loop {
            if state.number != seen {
                return Waited::Changed;
            }
            if state.closed {
                return Waited::Closed;
            }
            let Some(until) = until else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::TimedOut;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What became of checkpoints.
#[derive(Default)]
pub(crate) struct WitnessStats {
    pub sent: AtomicU64,
    pub failures: AtomicU64,
}

/// The threads that send; they end after the log.
pub struct Witnesses(Vec<mpsc::Receiver<()>>);

impl Witnesses {
    pub(crate) fn start(
        witnesses: Vec<Box<dyn Witness>>,
        newest: &Arc<NewestCheckpoint>,
        stats: &Arc<WitnessStats>,
    ) -> io::Result<Self> {
        let start = |mut witness: Box<dyn Witness>| {
            let (ended, end) = mpsc::channel();
            let (newest, stats) = (Arc::clone(newest), Arc::clone(stats));
            // One that hangs holds up this thread alone.
            std::thread::Builder::new().name("audit-witness".into()).spawn(move || {
                send_all(&mut *witness, &newest, &stats);
                let _ = ended.send(());
            })?;
            Ok(end)
        };
        Ok(Self(witnesses.into_iter().map(start).collect::<io::Result<_>>()?))
    }

    /// Waits for the last checkpoint to be sent, at most so long.
    pub fn finish(self, within: Duration) {
        let until = Instant::now() + within;
        for end in self.0 {
            let _ = end.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Sends the newest note whenever there is one, until the log is closed.
fn send_all(witness: &mut dyn Witness, newest: &NewestCheckpoint, stats: &WitnessStats) {
    let mut failing = false;
    loop {
        let (note, number) = newest.get();
        if let Some(note) = note {
            if let Err(error) = witness.send(&note) {
                stats.failures.fetch_add(1, Ordering::Relaxed);
                if !failing {
                    tracing::error!(%error, "a witness does not take checkpoints; it will be tried again");
                }
                failing = true;
                if newest.wait(number, Some(RETRY)) == Waited::Closed {
                    return;
                }
                continue;
            }
            stats.sent.fetch_add(1, Ordering::Relaxed);
            if failing {
                tracing::info!("the witness takes checkpoints again");
            }
            failing = false;
        }
        if newest.wait(number, None) == Waited::Closed {
            return;
        }
    }
}

/// A file that gets every checkpoint, on another mount for instance.
pub struct FileWitness(PathBuf);

impl FileWitness {
    /// The file may be a link, and is made if it is not there.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Witness for FileWitness {
    fn send(&mut self, note: &str) -> Result<(), String> {
        append(&self.0, note).map_err(|error| format!("{}: {error}", self.0.display()))
    }
}

/// Appends a note and an empty line, unless the file ends with it already.
fn append(path: &Path, note: &str) -> io::Result<()> {
    let mut file = files::open_configured_to_append(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(END_BYTES);
    let mut end = vec![0; usize::try_from(length - start).unwrap_or(0)];
    file.read_exact_at(&mut end, start)?;
    let whole = whole_notes(&end);
    let entry = format!("{note}\n");
    if end.get(..whole).is_some_and(|notes| notes.ends_with(entry.as_bytes())) {
        return Ok(());
    }
    let rest = end.get(whole..).unwrap_or_default();
    if !is_torn(rest, note) {
        return Err(io::Error::other(
            "the file ends with something that is no checkpoint of this log; it is left alone",
        ));
    }
    if whole < end.len() {
        file.set_len(start + whole as u64)?;
    }
    file.write_all(entry.as_bytes())?;
    file.sync_data()
}

/// Whether bytes are what a write of such a note may have left that broke off: its beginning, or only room for it.
fn is_torn(rest: &[u8], note: &str) -> bool {
    let first_line = note.split_inclusive('\n').next().unwrap_or_default().as_bytes();
    let is_room = rest.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace());
    is_room || rest.starts_with(first_line) || first_line.starts_with(rest)
}

/// How many bytes of the end of a file are whole notes: up to an empty line behind a line with a signature. What
/// follows was left by a write that broke off.
fn whole_notes(end: &[u8]) -> usize {
    (0..end.len())
        .rev()
        .filter(|at| end.get(*at..).is_some_and(|rest| rest.starts_with(b"\n\n")))
        .find(|at| {
            let line_start = end.get(..*at).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |at| at + 1);
            end.get(line_start..).is_some_and(|line| line.starts_with("\u{2014} ".as_bytes()))
        })
        .map_or(0, |at| at + 2)
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
