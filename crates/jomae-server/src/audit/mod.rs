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

mod retention;
mod signing_key;
mod start;
pub mod tail;
mod writer;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jomae_api::{action::Effect, names::RegionId, time::Timestamp};
use jomae_core::{
    audit::{
        Appended, AuditError, AuditSink, Durability, OperatorAct,
        lookup::{Page, Query},
        operator_event,
    },
    error::Fault,
    service::new_request_id,
    store::BoxFuture,
    tx::Vault,
    wait::Work,
};
use jomae_crypto::secret::SecretBytes;
use jomae_log::{Checkpoint, Receipt, Signer, event_proof::EVENT_BYTES_MAX, leaf_hash};
use tokio::sync::{oneshot, watch};

use self::{
    index::Index,
    segments::Lines,
    signing_key::{Before, Chosen, KeyError},
    tail::{Tail, TailKey},
    witness::{Newest, Places, WitnessStats, Witnesses},
    writer::Writer,
};
pub use self::{
    signing_key::{Former, Head},
    start::{Extent, OpenError, has_log},
};
use crate::{config, files, gateway};

/// How often new events are indexed.
const INDEX_EVERY: Duration = Duration::from_secs(1);
/// With more than this in the buffer, every call waits for the disk, in bytes.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often the store is told how far the log has come, if it has.
const HEAD_EVERY: Duration = Duration::from_secs(5);
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
    /// What the store knows, and since when.
    stored_head: Mutex<Option<(Head, Instant)>>,
}

/// How often, and after what pauses, a look-up asks whether the events before it are in the files: a second in all.
const IN_FILES_TRIES_MAX: u32 = 500;
const IN_FILES_PAUSE: Duration = Duration::from_millis(2);

struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    writable: AtomicBool,
    /// Events appended since the start.
    events: AtomicU64,
    syncs: AtomicU64,
    checkpoints: AtomicU64,
    checkpoint_failures: AtomicU64,
    /// Events that are in the files.
    in_files: AtomicU64,
    /// Events that are on disk for certain.
    on_disk: AtomicU64,
    /// Events that the newest checkpoint covers, and its moment.
    covered: AtomicU64,
    covered_at: AtomicI64,
    /// What the newest checkpoint covers.
    head: Mutex<Option<Head>>,
    /// Whether a segment was closed since the store was told of the head.
    rotated: AtomicBool,
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

    /// Waits until what was handed over by now is in the files, where look-ups find it; not for ever.
    fn wait_for_files(&self) {
        let handed = self.buffer().next;
        for _ in 0..IN_FILES_TRIES_MAX {
            if self.in_files.load(Ordering::Acquire) >= handed {
                return;
            }
            std::thread::sleep(IN_FILES_PAUSE);
        }
    }

    fn note_checkpoint(&self, checkpoint: &Checkpoint) {
        self.covered.store(checkpoint.size, Ordering::Relaxed);
        self.covered_at.store(checkpoint.time.0, Ordering::Relaxed);
        let head = Head { size: checkpoint.size, root: checkpoint.root };
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
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

/// What a start goes by.
pub(crate) struct Trust {
    /// What the store knows of the log.
    before: Option<Before>,
    /// The key of this run's MACs.
    tail_key: TailKey,
}

/// A log that a start has found right, and not written to yet.
pub struct Opened {
    log: AuditLog,
    tail_key: Arc<SecretBytes>,
    follows: Option<Former>,
}

/// Opens the log of a service, or begins one. The key, and what is known of the log, are in the vault.
pub async fn open(dir: &Path, config: &config::Audit, vault: &Vault) -> Result<Opened, OpenError> {
    files::check_dir(dir).map_err(OpenError::io(dir))?;
    let note = start::newest_note(dir).map_err(OpenError::io(&checkpoints::path(dir)))?;
    let log = start::has_log(dir).map_err(OpenError::io(dir))?;
    let found = signing_key::Found { log, newest_note: note.as_deref() };
    let wanted = signing_key::Wanted { origin: config.origin.as_deref(), new_log: config.begin_new };
    let in_dir = || dir.to_owned();
    let Chosen { signer, before, follows } =
        signing_key::load_or_create(vault, &wanted, &found, gateway::now()).await.map_err(|error| match error {
            KeyError::Origin(why) => OpenError::Origin(why),
            KeyError::Fault(fault) => OpenError::Key(fault),
            KeyError::NoCheckpoint => OpenError::NoCheckpoint(in_dir()),
            KeyError::Foreign(why) => OpenError::ForeignCheckpoint { dir: in_dir(), why },
            KeyError::Former(origin) => OpenError::Former { dir: in_dir(), origin },
            KeyError::Gone(former) => OpenError::Gone { dir: in_dir(), former },
            KeyError::Unknown => OpenError::Unknown(in_dir()),
            KeyError::NotGone => OpenError::NotGone(in_dir()),
        })?;
    files::private_dir(dir).map_err(OpenError::io(dir))?;
    let tail_key = Arc::new(SecretBytes::random(tail::KEY_BYTES));
    let trust = Trust { before, tail_key: TailKey::new(signer.name(), Arc::clone(&tail_key)) };
    let log = AuditLog::open(Settings::of(dir, config), signer, trust)?;
    Ok(Opened { log, tail_key, follows })
}

impl Opened {
    /// Tells the store that the log goes on from here, so that events can be written: from now on it expects them.
    /// `region` is where events of the log itself are said to happen.
    pub async fn begin(self, vault: &Vault, region: &RegionId) -> Result<AuditLog, OpenError> {
        let Self { log, tail_key, follows } = self;
        if let Some(head) = log.head() {
            signing_key::begin(vault, log.signer.verifier(), head, &tail_key).await?;
            log.note_stored(head);
        }
        if let Some(former) = follows.filter(|_| log.counts().size == 0) {
            let event = followed(&former, log.signer.name(), region, gateway::now());
            let appended = log.append(event, Durability::OnDisk);
            appended.done.wait().await.map_err(|error| OpenError::io(&log.dir)(io::Error::other(error)))?;
        }
        Ok(log)
    }
}

/// What was found of a log.
pub struct Examined {
    /// What a check off line says, with the key from the store.
    pub report: verify::Report,
    pub extent: Extent,
}

/// Why a log is not what the store knows of; one line.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
}

/// Checks the log that belongs to a store, in use or not, and changes nothing. None if the store knows of no log, and
/// there is none.
pub fn examine(dir: &Path, vault: &Vault) -> Result<Option<Examined>, ExamineError> {
    let there = has_log(dir).map_err(OpenError::io(dir))?;
    let Some((key, begun, before)) = signing_key::known(vault).map_err(OpenError::Key)? else {
        if there {
            return Err(OpenError::Unknown(dir.to_owned()).into());
        }
        return Ok(None);
    };
    if !there {
        let former = Some(Former { origin: key.name().to_owned(), head: before.map(|before| before.head) });
        return if begun { Err(OpenError::Gone { dir: dir.to_owned(), former }.into()) } else { Ok(None) };
    }
    let extent = start::extent(dir, &key, before.as_ref())?;
    Ok(Some(Examined { report: verify::verify(dir, &key, &[])?, extent }))
}

/// The first event of a log that the operator has begun in the place of another.
fn followed(former: &Former, origin: &str, region: &RegionId, now: Timestamp) -> Vec<u8> {
    let size = former.head.map(|head| head.size.to_string()).unwrap_or_default();
    let root = former.head.map(|head| head.root_text()).unwrap_or_default();
    let mut parameters = vec![("Origin", origin), ("FormerOrigin", former.origin.as_str())];
    if former.head.is_some() {
        parameters.extend([("FormerSize", size.as_str()), ("FormerRoot", root.as_str())]);
    }
    let act = OperatorAct {
        name: "BeginAuditLog",
        effect: Effect::Write,
        region,
        account: None,
        parameters: &parameters,
        resources: &[],
    };
    operator_event(&act, &new_request_id(), now)
}

impl AuditLog {
    /// Opens the log in a directory, which is there, or begins one. The signer is the one that the log has had so far.
    pub(crate) fn open(settings: Settings, signer: Signer, trust: Trust) -> Result<Self, OpenError> {
        let dir = settings.dir.clone();
        let Trust { before, tail_key } = trust;
        let parts = start::open(&dir, signer.verifier(), before.as_ref())?;
        let tail = Tail::open(&dir, tail_key, parts.tree.frontier().clone());
        let tail = tail.map_err(OpenError::io(&tail::path(&dir)))?;
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
            in_files: AtomicU64::new(next),
            on_disk: AtomicU64::new(next),
            covered: AtomicU64::new(0),
            covered_at: AtomicI64::new(0),
            head: Mutex::new(None),
            rotated: AtomicBool::new(false),
        });
        let (strict, signer) = (settings.strict, Arc::new(signer));
        let (sender, newest) = watch::channel(None);
        let mut writer = Writer::new(Arc::clone(&shared), settings, Arc::clone(&signer), parts, tail, sender);
        writer.begin().map_err(OpenError::io(&dir))?;
        let index = Arc::new(Index::open(&dir).map_err(OpenError::io(&dir.join("index")))?);
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || writer.run());
        let writer = Mutex::new(Some(thread.map_err(OpenError::io(&dir))?));
        Ok(Self {
            dir,
            shared,
            writer,
            strict,
            signer,
            newest,
            witness_stats: Arc::default(),
            index,
            stored_head: Mutex::default(),
        })
    }

    /// What the newest checkpoint covers: all of it is on disk.
    pub fn head(&self) -> Option<Head> {
        *self.shared.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_stored(&self, head: Head) {
        *self.stored_head.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, Instant::now()));
    }

    /// Tells the store how far the log has come, if a segment was closed or some seconds have passed since it was told;
    /// to be called every now and then. No call waits for it.
    pub async fn keep_head(&self, vault: &Vault) -> Result<(), Fault> {
        let Some(head) = self.head() else { return Ok(()) };
        let rotated = self.shared.rotated.swap(false, Ordering::AcqRel);
        let stored = *self.stored_head.lock().unwrap_or_else(PoisonError::into_inner);
        let due = stored.is_none_or(|(stored, at)| stored != head && (rotated || at.elapsed() >= HEAD_EVERY));
        if due {
            signing_key::keep_head(vault, self.signer.verifier(), head, false).await?;
            self.note_stored(head);
        }
        Ok(())
    }

    /// Tells the store where the log ends, once it is closed.
    pub async fn keep_end(&self, vault: &Vault) -> Result<(), Fault> {
        let Some(head) = self.head() else { return Ok(()) };
        // What was written last may have no checkpoint.
        let ended = head.size == self.shared.buffer().next;
        signing_key::keep_head(vault, self.signer.verifier(), head, ended).await
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
        let (index, shared, query) = (Arc::clone(&self.index), Arc::clone(&self.shared), query.clone());
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || {
                shared.wait_for_files();
                index.lookup(&query)
            });
            let found = found.await;
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
