//! The audit log on disk: one JSON event a line in segments, a hash tree over the lines, signed checkpoints.
//!
//! Request threads put their event into a buffer and get its number; one thread writes what has gathered and syncs it.
//! A call that waits for the disk is answered after the sync that covers its event, so many calls share one sync. If a
//! write fails, the log counts as unwritable, nothing is answered with a success, and the same bytes are tried again
//! until they are written.
//!
//! After the events the same thread appends their hashes to the tree, and signs its root once a second. Both can be
//! made again from the events, so they never hold up an answer.

pub mod checkpoints;
pub mod copy;
pub mod index;
pub mod segments;
pub mod tree;
pub mod verify;
pub mod witness;

mod legacy;
mod retention;
mod signing_key;
mod start;
mod writer;

#[cfg(test)]
mod tests;

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

use jomae_api::time::Timestamp;
use jomae_core::{
    audit::{
        Appended, AuditError, AuditSink, Durability,
        lookup::{Page, Query},
    },
    store::BoxFuture,
    tlog::{Checkpoint, Receipt, Signer, event_proof::EVENT_BYTES_MAX, leaf_hash},
    tx::Vault,
    wait::Work,
};
use tokio::sync::{oneshot, watch};

use self::{
    index::Index,
    segments::Lines,
    signing_key::KeyError,
    witness::{Newest, Places, WitnessStats, Witnesses},
    writer::Writer,
};
pub use self::{
    legacy::is_old,
    start::{OpenError, has_log},
};
use crate::{config, files, gateway};

/// How often new events are indexed.
const INDEX_EVERY: Duration = Duration::from_secs(1);
/// With more than this in the buffer, every call waits for the disk, in bytes.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How far back an event of the last minutes is looked for: this many segments, and as many more as have so many bytes.
const SEGMENTS_LOOKED_BACK: usize = 3;
const BYTES_LOOKED_BACK: u64 = 128 * 1024 * 1024;

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    pub dir: PathBuf,
    /// Whether every call waits for the disk.
    pub strict: bool,
    /// A segment is followed by the next one before it grows beyond this, in bytes.
    pub segment_bytes_max: u64,
    /// Whether each day, in UTC, has a segment of its own.
    pub rotate_daily: bool,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Days for which events are kept; 0: for ever.
    pub retention_days: u32,
    pub clock: fn() -> Timestamp,
}

impl Settings {
    /// What the configuration says.
    pub fn of(dir: &Path, config: &config::Audit) -> Self {
        Self {
            dir: dir.to_owned(),
            strict: config.durability == config::AuditDurability::Strict,
            segment_bytes_max: config.segment_bytes_max,
            rotate_daily: config.rotate_daily,
            checkpoint_every: Duration::from_secs(config.checkpoint_secs),
            retention_days: config.retention_days,
            clock: gateway::now,
        }
    }
}

/// Where the public key of a log is.
pub fn public_key_path(log: &Path) -> PathBuf {
    log.join("key.pub")
}

/// The audit log in a directory.
pub struct AuditLog {
    dir: PathBuf,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    strict: bool,
    signer: Arc<Signer>,
    newest: Newest,
    witness_stats: Arc<WitnessStats>,
    index: Arc<Index>,
}

struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    writable: AtomicBool,
    /// Events appended since the start.
    events: AtomicU64,
    syncs: AtomicU64,
    checkpoints: AtomicU64,
    checkpoint_failures: AtomicU64,
    /// Events that are on disk for certain.
    on_disk: AtomicU64,
    /// Events that the newest checkpoint covers, and its moment.
    covered: AtomicU64,
    covered_at: AtomicI64,
}

struct Buffer {
    lines: Vec<u8>,
    /// Events in `lines`.
    events: u64,
    /// The number of the next event.
    next: u64,
    waiting: Vec<oneshot::Sender<Result<(), AuditError>>>,
    closing: bool,
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_checkpoint(&self, checkpoint: &Checkpoint) {
        self.covered.store(checkpoint.size, Ordering::Relaxed);
        self.covered_at.store(checkpoint.time.0, Ordering::Relaxed);
    }
}

/// What can be watched of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Events appended since the start.
    pub events: u64,
    /// Syncs since the start.
    pub syncs: u64,
    /// Checkpoints signed since the start, and tries that failed.
    pub checkpoints: u64,
    pub checkpoint_failures: u64,
    /// Events in the log, from its beginning, that are on disk.
    pub size: u64,
    /// How many of them the newest checkpoint covers.
    pub covered: u64,
    /// When it was signed.
    pub covered_at: Timestamp,
    /// Checkpoints that witnesses have taken since the start, and tries that failed.
    pub witness_sent: u64,
    pub witness_failures: u64,
}

/// Opens the log of a service, or begins one. The key is in the vault.
pub async fn open(dir: &Path, config: &config::Audit, vault: &Vault) -> Result<AuditLog, OpenError> {
    files::private_dir(dir).map_err(OpenError::io(dir))?;
    let note = start::newest_note(dir).map_err(OpenError::io(&checkpoints::path(dir)))?;
    let log = start::has_log(dir).map_err(OpenError::io(dir))?;
    let found = signing_key::Found { log, newest_note: note.as_deref() };
    let signer = match signing_key::load_or_create(vault, config.origin.as_deref(), &found, gateway::now()).await {
        Ok(signer) => signer,
        Err(KeyError::Origin(why)) => return Err(OpenError::Origin(why)),
        Err(KeyError::Fault(fault)) => return Err(OpenError::Key(fault)),
        Err(KeyError::NoCheckpoint) => return Err(OpenError::NoCheckpoint(dir.to_owned())),
        Err(KeyError::Foreign(why)) => return Err(OpenError::ForeignCheckpoint { dir: dir.to_owned(), why }),
    };
    let log = AuditLog::open(Settings::of(dir, config), signer)?;
    signing_key::mark_begun(vault, &log.signer).await?;
    Ok(log)
}

impl AuditLog {
    /// Opens the log in a directory, which is there, or begins one. The signer is the one that the log has had so far.
    pub fn open(settings: Settings, signer: Signer) -> Result<Self, OpenError> {
        let dir = settings.dir.clone();
        let parts = start::open(&dir, signer.verifier())?;
        write_public_key(&dir, &signer).map_err(OpenError::io(&public_key_path(&dir)))?;
        let next = parts.segment.next();
        let shared = Arc::new(Shared {
            buffer: Mutex::new(Buffer { lines: Vec::new(), events: 0, next, waiting: Vec::new(), closing: false }),
            filled: Condvar::new(),
            writable: AtomicBool::new(true),
            events: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            checkpoint_failures: AtomicU64::new(0),
            on_disk: AtomicU64::new(next),
            covered: AtomicU64::new(0),
            covered_at: AtomicI64::new(0),
        });
        let (strict, signer) = (settings.strict, Arc::new(signer));
        let (sender, newest) = watch::channel(None);
        let mut writer = Writer::new(Arc::clone(&shared), settings, Arc::clone(&signer), parts, sender);
        writer.begin().map_err(OpenError::io(&dir))?;
        let index = Arc::new(Index::open(&dir).map_err(OpenError::io(&dir.join("index")))?);
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || writer.run());
        let writer = Mutex::new(Some(thread.map_err(OpenError::io(&dir))?));
        Ok(Self { dir, shared, writer, strict, signer, newest, witness_stats: Arc::default(), index })
    }

    /// What can be watched.
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
        }
    }

    /// The line of an event; none if it is not in the files. Reads up to a whole segment.
    pub fn event(&self, index: u64) -> io::Result<Option<Vec<u8>>> {
        segments::event(&self.dir, index)
    }

    /// Begins to send checkpoints to witnesses. Must be called within a runtime.
    pub fn send_to_witnesses(&self, places: &Places) -> io::Result<Witnesses> {
        Witnesses::start(places, &self.newest, &self.witness_stats)
    }

    /// Begins to keep the look-up index up to date, as long as there is the log. Nothing waits for its end: what it
    /// leaves undone is done after the next start.
    pub fn keep_indexed(&self) -> io::Result<()> {
        let index = Arc::downgrade(&self.index);
        let work = move || {
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

    /// Writes what is in the buffer, signs it, and ends. What is appended afterwards is refused.
    pub fn close(&self) {
        self.shared.buffer().closing = true;
        self.shared.filled.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

fn write_public_key(dir: &Path, signer: &Signer) -> io::Result<()> {
    let (path, text) = (public_key_path(dir), format!("{}\n", signer.verifier()));
    match files::read_limited(&path, 4096) {
        Ok(there) if *there == text.as_bytes() => Ok(()),
        _ => files::write_public(&path, text.as_bytes()),
    }
}

impl AuditSink for AuditLog {
    fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Acquire)
    }

    fn append(&self, event: Vec<u8>, durability: Durability) -> Appended<'_> {
        let mut buffer = self.shared.buffer();
        let index = buffer.next;
        let wrong = if buffer.closing {
            Some("the log is closed")
        } else if memchr::memchr2(b'\n', 0, &event).is_some() {
            // A line end within would move every event behind it.
            Some("the event is not one line of text")
        } else if event.len() > EVENT_BYTES_MAX {
            // Nobody could verify it.
            Some("the event is too long")
        } else {
            None
        };
        if let Some(why) = wrong {
            return Appended { index, done: Work::Done(Err(AuditError(why.into()))) };
        }
        let first = buffer.lines.is_empty();
        buffer.lines.extend_from_slice(&event);
        buffer.lines.push(b'\n');
        buffer.events += 1;
        buffer.next += 1;
        self.shared.events.fetch_add(1, Ordering::Relaxed);
        let waits = self.strict || durability == Durability::OnDisk || buffer.lines.len() > BUFFER_BYTES_MAX;
        let written = waits.then(|| {
            let (done, written) = oneshot::channel();
            buffer.waiting.push(done);
            written
        });
        drop(buffer);
        if first || waits {
            self.shared.filled.notify_one();
        }
        let done = match written {
            None => Work::Done(Ok(())),
            Some(written) => Work::Later(Box::pin(async move {
                written.await.unwrap_or_else(|_| Err(AuditError("the log is closed".into())))
            })),
        };
        Appended { index, done }
    }

    fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, AuditError> {
        let mut found = Vec::new();
        let mut bytes = 0;
        let segments = segments::list(&self.dir).map_err(|error| AuditError(error.to_string()))?;
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
                Err(error) => return Err(AuditError(format!("{}: {error}", segment.path.display()))),
            }
        }
        Ok(found)
    }

    fn receipt(&self, index: u64, event: &[u8], event_id: &str, now: Timestamp) -> Result<String, AuditError> {
        if index >= self.shared.on_disk.load(Ordering::Acquire) {
            return Err(AuditError(format!("event {index} is not on disk yet")));
        }
        let receipt = Receipt {
            origin: self.signer.name().to_owned(),
            index,
            leaf: leaf_hash(event),
            event_id: event_id.to_owned(),
            time: now,
        };
        receipt.sign(&self.signer).map_err(|error| AuditError(error.to_string()))
    }

    fn lookup<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, AuditError>> {
        let (index, query) = (Arc::clone(&self.index), query.clone());
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || index.lookup(&query)).await;
            found.map_err(|error| AuditError(error.to_string()))?
        })
    }
}

/// The ids among `wanted` whose events stand in a file, and the length of its lines in bytes.
fn find_in(path: &Path, wanted: &[&str]) -> io::Result<(Vec<String>, u64)> {
    const START: &[u8] = b"{\"eventId\":\"";
    let (mut lines, mut found, mut bytes) = (Lines::open(path)?, Vec::new(), 0);
    while let Some(line) = lines.next_line()? {
        bytes += line.len() as u64 + 1;
        let id = line.strip_prefix(START).and_then(|rest| rest.get(..memchr::memchr(b'"', rest)?));
        if let Some(id) = wanted.iter().find(|wanted| id == Some(wanted.as_bytes())) {
            found.push((*id).to_owned());
        }
    }
    Ok((found, bytes))
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}
