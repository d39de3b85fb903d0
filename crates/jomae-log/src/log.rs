//! The log as it is written: one JSON event a line in segments, a hash tree over the lines, signed checkpoints.
//!
//! Appending puts an event into a buffer and gives its number; one thread writes what has gathered and syncs it. A
//! caller that waits for the disk is called back after the sync that covers its event, so many events share one sync.
//! If a write fails, the log counts as unwritable, and the same bytes are written again until that succeeds.
//!
//! After the events the same thread appends their hashes to the tree, and signs its root once in a while. Both can be
//! made again from the events, so no caller waits for them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use jomae_files as files;

use crate::{
    Checkpoint, FileError, Receipt, Signer, StateSource, Timestamp, TlogError, VerifierKey,
    archive::{Archive, ArchiveCounts, ArchiveStats, NO_ARCHIVE, Shipper, recorded},
    batch::Batch,
    compress::{self, Closed},
    event::FoundBy,
    index::{Index, LookupError, Page, Query},
    layout::{self, EVENT_BYTES_MAX},
    leaf_hash,
    lines::Lines,
    open::{self, OpenError, TreeHead, Trust},
    priority,
    segment::{self, BUFFER_BYTES_MAX},
    tail::Tail,
    witness::{NewestCheckpoint, Witness, WitnessStats, Witnesses},
    writer::Writer,
};

/// How often new events are indexed.
const INDEX_EVERY: Duration = Duration::from_secs(1);
/// How far back an event of the last minutes is looked for: this many segments, and as many more as have so many bytes.
const SEGMENTS_LOOKED_BACK: usize = 3;
const BYTES_LOOKED_BACK: u64 = 128 * 1024 * 1024;
/// How often, and after what pauses, a look-up asks whether the events before it are in the files: a second in all.
const IN_FILES_TRIES_MAX: u32 = 500;
const IN_FILES_PAUSE: Duration = Duration::from_millis(2);
/// How often, and after what pauses, a close asks whether the archive has taken its last object: two seconds in all.
const SHIPPER_TRIES_MAX: u32 = 400;
const SHIPPER_PAUSE: Duration = Duration::from_millis(5);

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of the log, which is there.
    pub dir: PathBuf,
    /// Whether every caller waits for the disk.
    pub strict: bool,
    /// A segment is followed by the next one before it grows beyond this, in bytes.
    pub segment_bytes_max: u64,
    /// Whether each day, in UTC, has a segment of its own.
    pub rotate_daily: bool,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Days for which events are kept; 0: for ever.
    pub retention_days: u32,
    /// Whether closed segments are compressed, once [`Log::keep_compressed`] is called.
    pub compress_closed: bool,
    /// What the archive is called, if there is one: retention waits for it, and [`Log::keep_archived`] ships to it.
    pub archive: Option<String>,
    /// What checkpoints say of the store.
    pub state: StateSource,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// An event is not written. One line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(pub(crate) String);

impl WriteError {
    /// That nothing is written any more.
    pub fn closed() -> Self {
        Self("the log is closed".into())
    }
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The event may still be lost.
    #[error("event {0} is not on disk yet")]
    NotOnDisk(u64),
    /// It cannot be signed.
    #[error(transparent)]
    Tlog(#[from] TlogError),
}

/// Called once when the event is on disk, or when that has failed. Dropped uncalled if the log was closed before.
pub type SyncCallback = Box<dyn FnOnce(Result<(), WriteError>) + Send>;

/// How far an event that was appended has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendStatus {
    /// In the buffer, and on disk within a tenth of a second. No callback was asked for.
    Buffered,
    /// The callback is called after the sync that covers it.
    AwaitingSync,
    /// Not in the log.
    Rejected(WriteError),
}

/// An event that was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// How many events stand before it.
    pub index: u64,
    /// How far it has come.
    pub status: AppendStatus,
}

/// The audit log in a directory.
pub struct Log {
    dir: PathBuf,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    strict: bool,
    compress_closed: bool,
    compressor: Mutex<Option<JoinHandle<()>>>,
    archive: Option<String>,
    shipper: Mutex<Option<JoinHandle<()>>>,
    archive_stats: Arc<ArchiveStats>,
    signer: Arc<Signer>,
    newest: Arc<NewestCheckpoint>,
    witness_stats: Arc<WitnessStats>,
    index: Arc<Index>,
}

pub(crate) struct Shared {
    pub buffer: Mutex<Buffer>,
    pub filled: Condvar,
    pub writable: AtomicBool,
    /// Events appended since the log was opened.
    pub events: AtomicU64,
    pub syncs: AtomicU64,
    pub checkpoints: AtomicU64,
    pub checkpoint_failures: AtomicU64,
    /// Events that are in the files.
    pub in_files: AtomicU64,
    /// Events that are on disk for certain.
    pub on_disk: AtomicU64,
    /// Events that the newest checkpoint covers, and its moment.
    pub covered: AtomicU64,
    pub covered_at: AtomicI64,
    /// Events that are in the archive; [`NO_ARCHIVE`] if there is none.
    pub archived: AtomicU64,
    /// What the newest checkpoint covers.
    pub head: Mutex<Option<TreeHead>>,
    /// Whether a segment was closed since somebody asked.
    pub rotated: AtomicBool,
    pub closed: Closed,
}

pub(crate) struct Buffer {
    pub batch: Batch,
    /// The number of the next event.
    pub next: u64,
    pub waiting: Vec<SyncCallback>,
    pub closing: bool,
    pub sleep: Sleep,
}

/// What the writer sleeps for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It is awake, and will look at the buffer by itself.
    Awake,
    ForEvents,
    /// Until so many callers wait.
    ForCallers(usize),
}

impl Buffer {
    /// Whether what is in the buffer now ends the writer's sleep; if so, it counts as awake.
    fn wakes_writer(&mut self) -> bool {
        let wakes = match self.sleep {
            Sleep::Awake => false,
            Sleep::ForEvents => true,
            Sleep::ForCallers(callers) => self.waiting.len() >= callers,
        };
        if wakes {
            self.sleep = Sleep::Awake;
        }
        wakes
    }
}

impl Shared {
    fn new(next: u64, archived: u64) -> Self {
        Self {
            buffer: Mutex::new(Buffer {
                batch: Batch::default(),
                next,
                waiting: Vec::new(),
                closing: false,
                sleep: Sleep::Awake,
            }),
            filled: Condvar::new(),
            writable: AtomicBool::new(true),
            events: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            checkpoint_failures: AtomicU64::new(0),
            in_files: AtomicU64::new(next),
            on_disk: AtomicU64::new(next),
            covered: AtomicU64::new(0),
            covered_at: AtomicI64::new(0),
            archived: AtomicU64::new(archived),
            head: Mutex::new(None),
            rotated: AtomicBool::new(false),
            closed: Closed::default(),
        }
    }

    pub fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what was handed over by now is in the files, where look-ups find it; not for ever.
    fn wait_for_files(&self) {
        let handed = {
            let mut buffer = self.buffer();
            // It may be gathering.
            buffer.sleep = Sleep::Awake;
            buffer.next
        };
        self.filled.notify_one();
        for _ in 0..IN_FILES_TRIES_MAX {
            if self.in_files.load(Ordering::Acquire) >= handed {
                return;
            }
            std::thread::sleep(IN_FILES_PAUSE);
        }
    }

    pub fn note_checkpoint(&self, checkpoint: &Checkpoint) {
        self.covered.store(checkpoint.size, Ordering::Relaxed);
        self.covered_at.store(checkpoint.time.0, Ordering::Relaxed);
        let head = TreeHead { size: checkpoint.size, root: checkpoint.root };
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }
}

/// Figures for monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Events appended since the log was opened.
    pub events: u64,
    /// Syncs since then.
    pub syncs: u64,
    /// Checkpoints signed since then.
    pub checkpoints: u64,
    /// Checkpoints that could not be made.
    pub checkpoint_failures: u64,
    /// Events in the log, from its beginning, that are on disk.
    pub size: u64,
    /// How many of them the newest checkpoint covers.
    pub covered: u64,
    /// When it was signed.
    pub covered_at: Timestamp,
    /// Checkpoints that witnesses have taken since the log was opened.
    pub witness_sent: u64,
    /// Tries of that which failed.
    pub witness_failures: u64,
    /// What is in the archive.
    pub archive: ArchiveCounts,
}

impl Log {
    /// Opens the log in a directory, which is there, or begins one. The signer is the one that the log has had so far.
    pub fn open(settings: Settings, signer: Signer, trust: Trust) -> Result<Self, OpenError> {
        let dir = settings.dir.clone();
        let Trust { known, tail_key } = trust;
        let parts = open::open(&dir, signer.verifier(), known.as_ref())?;
        for partial in layout::partials(&dir).map_err(OpenError::io(&dir))? {
            std::fs::remove_file(&partial).map_err(OpenError::io(&partial))?;
        }
        let tail = Tail::open(&dir, tail_key, parts.tree.frontier().clone());
        let tail = tail.map_err(OpenError::io(&layout::tail_mac(&dir)))?;
        write_public_key(&dir, signer.verifier()).map_err(OpenError::io(&layout::public_key(&dir)))?;
        let archived = settings.archive.as_ref().map_or(NO_ARCHIVE, |to| recorded(&dir, to));
        let shared = Arc::new(Shared::new(parts.segment.next(), archived));
        let Settings { strict, compress_closed, .. } = settings;
        let archive = settings.archive.clone();
        let (signer, newest) = (Arc::new(signer), Arc::<NewestCheckpoint>::default());
        let mut writer =
            Writer::new(Arc::clone(&shared), settings, Arc::clone(&signer), parts, tail, Arc::clone(&newest));
        writer.begin().map_err(OpenError::io(&dir))?;
        let index =
            Index::open_beside(&dir, Arc::clone(writer.unindexed())).map_err(OpenError::io(&layout::index(&dir)))?;
        let index = Arc::new(index);
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || {
            if !strict {
                priority::stand_back(priority::WRITER);
            }
            writer.run();
        });
        let writer = Mutex::new(Some(thread.map_err(OpenError::io(&dir))?));
        Ok(Self {
            dir,
            shared,
            writer,
            strict,
            compress_closed,
            compressor: Mutex::default(),
            archive,
            shipper: Mutex::default(),
            archive_stats: Arc::default(),
            signer,
            newest,
            witness_stats: Arc::default(),
            index,
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What checks its signatures.
    pub fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// What the newest checkpoint covers: all of it is on disk.
    pub fn head(&self) -> Option<TreeHead> {
        *self.shared.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the newest checkpoint covers everything that was handed over.
    pub fn is_covered(&self) -> bool {
        let next = self.shared.buffer().next;
        self.head().is_some_and(|head| head.size == next)
    }

    /// Whether a segment was closed since this was last asked.
    pub fn has_rotated(&self) -> bool {
        self.shared.rotated.swap(false, Ordering::AcqRel)
    }

    /// Whether events can be written now.
    pub fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Acquire)
    }

    /// Figures for monitoring.
    pub fn counts(&self) -> Counts {
        let shared = &self.shared;
        Counts {
            events: shared.events.load(Ordering::Relaxed),
            syncs: shared.syncs.load(Ordering::Relaxed),
            checkpoints: shared.checkpoints.load(Ordering::Relaxed),
            checkpoint_failures: shared.checkpoint_failures.load(Ordering::Relaxed),
            size: shared.on_disk.load(Ordering::Acquire),
            covered: shared.covered.load(Ordering::Relaxed),
            covered_at: Timestamp(shared.covered_at.load(Ordering::Relaxed)),
            witness_sent: self.witness_stats.sent.load(Ordering::Relaxed),
            witness_failures: self.witness_stats.failures.load(Ordering::Relaxed),
            archive: self.archive_stats.counts(shared.archived.load(Ordering::Acquire)),
        }
    }

    /// Appends an event: one line of text, without the newline. Its number is settled at once. `callback` makes the
    /// callback if the caller has to wait: with `on_disk`, in a strict log, and when much is in the buffer. With
    /// `found_by`, the look-up index does not have to read the event.
    pub fn append(
        &self,
        event: &[u8],
        found_by: Option<FoundBy<'_>>,
        on_disk: bool,
        callback: impl FnOnce() -> SyncCallback,
    ) -> Appended {
        let mut buffer = self.shared.buffer();
        let index = buffer.next;
        let wrong = if buffer.closing {
            Some(WriteError::closed())
        } else if memchr::memchr2(b'\n', 0, event).is_some() {
            // A line end within would move every event behind it.
            Some(WriteError("the event is not one line of text".into()))
        } else if event.len() > EVENT_BYTES_MAX {
            // Nobody could verify it.
            Some(WriteError("the event is too long".into()))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Appended { index, status: AppendStatus::Rejected(wrong) };
        }
        buffer.batch.push(event, found_by);
        buffer.next += 1;
        self.shared.events.fetch_add(1, Ordering::Relaxed);
        let waits = self.strict || on_disk || buffer.batch.bytes().len() > BUFFER_BYTES_MAX;
        if waits {
            buffer.waiting.push(callback());
        }
        let wakes = buffer.wakes_writer();
        drop(buffer);
        if wakes {
            self.shared.filled.notify_one();
        }
        Appended { index, status: if waits { AppendStatus::AwaitingSync } else { AppendStatus::Buffered } }
    }

    /// The line of an event; none if it is not in the files. Reads up to a whole segment.
    pub fn event(&self, index: u64) -> io::Result<Option<Vec<u8>>> {
        segment::event(&self.dir, index)
    }

    /// Which of these event ids, at most a few hundred, the newest part of the log holds. It looks back at least as far
    /// as events of the last minutes can stand.
    pub fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, FileError> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let segments = layout::segments(&self.dir).map_err(FileError::of(&self.dir))?;
        for (at, segment) in segments.iter().rev().enumerate() {
            if at >= SEGMENTS_LOOKED_BACK && bytes >= BYTES_LOOKED_BACK {
                break;
            }
            match find_in(&segment.path, event_ids) {
                Ok((ids, read)) => {
                    found.extend(ids);
                    bytes += read;
                }
                // Retention has just removed it, and all before it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(FileError::of(&segment.path)(error)),
            }
        }
        Ok(found)
    }

    /// A signed receipt for an event that is on disk, in a form that fits a header.
    pub fn receipt(&self, index: u64, event: &[u8], event_id: &str, now: Timestamp) -> Result<String, ReceiptError> {
        if index >= self.shared.on_disk.load(Ordering::Acquire) {
            return Err(ReceiptError::NotOnDisk(index));
        }
        let receipt = Receipt {
            origin: self.signer.name().to_owned(),
            index,
            leaf: leaf_hash(event),
            event_id: event_id.to_owned(),
            time: now,
        };
        Ok(receipt.sign(&self.signer)?)
    }

    /// Finds events, everything that was appended before included. Blocks the thread until that is written.
    pub fn lookup(&self, query: &Query) -> Result<Page, LookupError> {
        self.shared.wait_for_files();
        self.index.lookup(query)
    }

    /// Begins to send checkpoints to witnesses, each on a thread of its own.
    pub fn send_to(&self, witnesses: Vec<Box<dyn Witness>>) -> io::Result<Witnesses> {
        Witnesses::start(witnesses, &self.newest, &self.witness_stats)
    }

    /// Begins to keep the look-up index up to date, as long as there is the log. Nothing waits for its end: what it
    /// leaves undone is done the next time.
    pub fn keep_indexed(&self) -> io::Result<()> {
        let index = Arc::downgrade(&self.index);
        let work = move || {
            priority::stand_back(priority::INDEX);
            let mut failing = false;
            while let Some(index) = index.upgrade() {
                let done = index.catch_up();
                drop(index);
                if let Err(error) = &done
                    && !failing
                {
                    tracing::error!(%error, "audit events cannot be indexed for look-ups; it will be tried again");
                }
                failing = done.is_err();
                std::thread::sleep(INDEX_EVERY);
            }
        };
        std::thread::Builder::new().name("audit-index".into()).spawn(work).map(|_| ())
    }

    /// Begins to compress segments as they are closed, if the settings say so.
    pub fn keep_compressed(&self) -> io::Result<()> {
        if !self.compress_closed {
            return Ok(());
        }
        let (dir, shared) = (self.dir.clone(), Arc::clone(&self.shared));
        let work = move || compress::run(&dir, &shared.closed, || shared.covered.load(Ordering::Relaxed));
        let thread = std::thread::Builder::new().name("audit-zstd".into()).spawn(work)?;
        *self.compressor.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Begins to ship closed segments to the archive that the settings name, and looks for them so often.
    pub fn keep_archived(&self, archive: Box<dyn Archive>, every: Duration) -> io::Result<()> {
        let Some(to) = self.archive.clone() else { return Ok(()) };
        let shared = (Arc::clone(&self.shared), Arc::clone(&self.archive_stats));
        let shipper = Shipper::new(self.dir.clone(), to, self.verifier().clone(), archive, shared, every);
        let thread = std::thread::Builder::new().name("audit-archive".into()).spawn(|| shipper.run())?;
        *self.shipper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Writes what is in the buffer, signs it, and ends. What is appended afterwards is refused.
    pub fn close(&self) {
        self.shared.closed.stop.store(true, Ordering::Release);
        // What hangs is not waited for: what it leaves undone is done the next time.
        if let Some(shipper) = self.shipper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            shipper.thread().unpark();
            for _ in 0..SHIPPER_TRIES_MAX {
                if shipper.is_finished() {
                    break;
                }
                std::thread::sleep(SHIPPER_PAUSE);
            }
        }
        if let Some(compressor) = self.compressor.lock().unwrap_or_else(PoisonError::into_inner).take() {
            compressor.thread().unpark();
            let _ = compressor.join();
        }
        self.shared.buffer().closing = true;
        self.shared.filled.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

fn write_public_key(dir: &Path, key: &VerifierKey) -> io::Result<()> {
    let (path, text) = (layout::public_key(dir), format!("{key}\n"));
    match files::read_limited(&path, 4096) {
        Ok(there) if *there == text.as_bytes() => Ok(()),
        _ => files::write_public(&path, text.as_bytes()),
    }
}

/// The ids among `wanted` whose events stand in a file, and the length of its lines in bytes.
fn find_in(path: &Path, wanted: &[&str]) -> io::Result<(Vec<String>, u64)> {
    const START: &[u8] = b"{\"eventId\":\"";
    let (mut lines, mut found) = (Lines::open(path)?, Vec::new());
    while let Some(line) = lines.next_line()? {
        let id = line.strip_prefix(START).and_then(|rest| rest.get(..memchr::memchr(b'"', rest)?));
        if let Some(id) = wanted.iter().find(|wanted| id == Some(wanted.as_bytes())) {
            found.push((*id).to_owned());
        }
    }
    Ok((found, lines.offset()))
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
pub(crate) mod tests;
