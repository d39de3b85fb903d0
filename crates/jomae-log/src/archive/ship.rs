//! Shipping closed segments to the archive, beside everything else.
//!
//! What is shipped was compared with the tree and with what was signed, since nothing in the archive is ever replaced.
//! What is there already under the name of an object must be the same, or shipping stops: it is another log's, or
//! somebody's forgery.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use jomae_files as files;

use super::{Archive, ArchiveStats, Content, Kind, Object, log_name};
use crate::{
    Checkpoint, Frontier, Timestamp, VerifierKey,
    checkpoint::split_file,
    checkpoint_file, compress,
    event::event_time,
    frames::{Frames, is_damage},
    layout::{self, EVENT_BYTES_MAX, HASH_BYTES, Segment},
    lines::{Line, Lines, Opened},
    log::Shared,
    merkle::parse_number,
    note::NOTE_BYTES_MAX,
    priority,
    proof::root_at,
    tree_files::TreeFiles,
};

/// What is in the archive and not the same is looked at again after this: somebody may have put it right.
const REFUSED_RETRY: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_mins(5) };
/// The largest record of how far the archive has come, in bytes.
const RECORD_BYTES_MAX: usize = 64 * 1024;
/// How many hashes are compared at once.
const HASHES_AT_ONCE: u64 = 4096;

/// Why something is not shipped; one line.
#[derive(Debug, thiserror::Error)]
enum ShipError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(
        "{log}/{name} in the archive is not what this log would put there ({why}): another log has written it, or \
         somebody has changed it; nothing more is shipped"
    )]
    Refused { log: String, name: String, why: &'static str },
    #[error("{file}: is not what was logged and signed, and is not shipped; check the audit log")]
    Changed { file: String },
    #[error("the log is being closed")]
    Closed,
}

/// How many events the record says are in the archive `to`.
pub(crate) fn recorded(dir: &Path, to: &str) -> u64 {
    let Ok(record) = files::read_limited(&layout::archived(dir), RECORD_BYTES_MAX) else { return 0 };
    let text = String::from_utf8_lossy(&record);
    let number = text.strip_prefix(to).and_then(|rest| rest.strip_prefix('\n')?.strip_suffix('\n'));
    number.and_then(parse_number).unwrap_or(0)
}

/// What ships.
pub(crate) struct Shipper {
    dir: PathBuf,
    /// Where the archive is, as the configuration calls it.
    to: String,
    /// What the log is called there.
    log: String,
    key: VerifierKey,
    archive: Box<dyn Archive>,
    shared: Arc<Shared>,
    stats: Arc<ArchiveStats>,
    every: Duration,
    /// Whether it is known what is in the archive.
    surveyed: bool,
}

impl Shipper {
    pub fn new(
        dir: PathBuf,
        to: String,
        key: VerifierKey,
        archive: Box<dyn Archive>,
        (shared, stats): (Arc<Shared>, Arc<ArchiveStats>),
        every: Duration,
    ) -> Self {
        Self { dir, to, log: log_name(&key), key, archive, shared, stats, every, surveyed: false }
    }

    /// Ships until the log is closed.
    pub fn run(mut self) {
        priority::stand_back(priority::COMPRESSOR);
        let mut failing = None;
        while !self.is_closed() {
            let mut wait = self.every;
            match self.pass() {
                Ok(()) => {
                    if failing.take().is_some() {
                        tracing::info!("the audit log can be archived again");
                    }
                    self.stats.refused.store(false, Ordering::Relaxed);
                }
                Err(ShipError::Closed) => return,
                Err(error) => {
                    self.surveyed = false;
                    self.stats.failures.fetch_add(1, Ordering::Relaxed);
                    let refused = matches!(error, ShipError::Refused { .. });
                    self.stats.refused.store(refused, Ordering::Relaxed);
                    if refused {
                        wait = wait.max(REFUSED_RETRY);
                    }
                    let error = error.to_string();
                    if failing.as_ref() != Some(&error) {
                        tracing::error!(error, "the audit log cannot be archived; it will be tried again");
                    }
                    failing = Some(error);
                }
            }
            let until = Instant::now() + wait;
            while !self.is_closed() && Instant::now() < until {
                std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.shared.closed.stop.load(Ordering::Acquire)
    }

    fn archived(&self) -> u64 {
        self.shared.archived.load(Ordering::Acquire)
    }

    /// Ships what there is to ship.
    fn pass(&mut self) -> Result<(), ShipError> {
        // What comes later may have to be cut.
        let covered = self.shared.covered.load(Ordering::Relaxed);
        let segments = layout::segments(&self.dir)?;
        self.note_lag(&segments);
        let there = if self.surveyed { None } else { Some(self.survey(&segments, covered)?) };
        let before = self.archived();
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            if next.first > covered {
                break;
            }
            let is_there = match &there {
                Some(there) => next.first <= before && is_there(there, segment, next.first)?,
                None => next.first <= before,
            };
            if is_there {
                continue;
            }
            if self.is_closed() {
                return Err(ShipError::Closed);
            }
            if let Err(error) = self.ship(segment, next.first) {
                // Retention must not take it for archived.
                self.shared.archived.fetch_min(segment.first, Ordering::AcqRel);
                return Err(error);
            }
            self.note_archived(next.first)?;
        }
        self.surveyed = true;
        self.note_lag(&segments);
        Ok(())
    }

    fn note_archived(&self, events: u64) -> io::Result<()> {
        if self.archived() < events {
            files::write_private(&layout::archived(&self.dir), format!("{}\n{events}\n", self.to).as_bytes())?;
            self.shared.archived.store(events, Ordering::Release);
        }
        Ok(())
    }

    /// Notes which events are not in the archive, and since when.
    fn note_lag(&self, segments: &[Segment]) {
        let archived = self.archived();
        let first_time = |segment: &Segment| -> Option<Timestamp> {
            event_time(Lines::open(&segment.path).ok()?.next_line().ok()??)
        };
        let mut missing = segments.iter().filter(|segment| segment.first >= archived);
        let oldest = missing.next().and_then(first_time);
        // A segment is closed when the first event of the next one comes.
        let waiting_since = missing.next().and_then(first_time);
        *self.stats.lag.lock().unwrap_or_else(PoisonError::into_inner) = (oldest, waiting_since);
    }

    /// Looks at what is in the archive, and ships the hashes of events that are no longer stored.
    fn survey(&mut self, segments: &[Segment], covered: u64) -> Result<BTreeMap<String, u64>, ShipError> {
        let there = self.archive.list(&self.log)?.into_iter().map(|Object { name, bytes }| (name, bytes));
        let there: BTreeMap<String, u64> = there.collect();
        let text = format!("{}\n", self.key);
        self.put(Kind::Key, Content::of_bytes(&text.as_bytes()), "the key is another", |mut file| {
            let mut key = Vec::new();
            io::Read::by_ref(&mut file).take(text.len() as u64 + 1).read_to_end(&mut key)?;
            Ok(key == text.as_bytes())
        })?;
        let mut spans = Vec::new();
        for (name, bytes) in &there {
            let Some(Kind::Hashes(first)) = Kind::of(name) else { continue };
            let end = first.saturating_add(bytes / HASH_BYTES);
            if !bytes.is_multiple_of(HASH_BYTES) || end > covered {
                return self.refused(Kind::Hashes(first), "it is of more events than this log has");
            }
            spans.push((first, end));
        }
        spans.sort_unstable();
        let stored_from = segments.first().map_or(0, |segment| segment.first);
        let (before, mut at) = (self.archived(), 0);
        for (first, end) in spans.into_iter().filter(|(first, _)| *first < stored_from) {
            if first < at || end > stored_from {
                return self.refused(Kind::Hashes(first), "it is of other events");
            }
            if at < first {
                self.ship_hashes(at, first)?;
            }
            if end > before {
                self.ship_hashes(first, end)?;
            }
            at = end;
        }
        if at < stored_from {
            self.ship_hashes(at, stored_from)?;
        }
        self.note_archived(stored_from)?;
        Ok(there)
    }

    fn refused<T>(&self, kind: Kind, why: &'static str) -> Result<T, ShipError> {
        Err(ShipError::Refused { log: self.log.clone(), name: kind.name(), why })
    }

    /// Puts an object, or finds that it is there and `same`.
    fn put(
        &mut self,
        kind: Kind,
        content: Content<'_>,
        otherwise: &'static str,
        same: impl FnOnce(File) -> io::Result<bool>,
    ) -> Result<(), ShipError> {
        let name = kind.name();
        match self.archive.put(&self.log, &name, content) {
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {
                match same(self.archive.get(&self.log, &name)?) {
                    Ok(true) => Ok(()),
                    Err(error) if !is_damage(&error) && error.kind() != io::ErrorKind::InvalidData => Err(error.into()),
                    Ok(false) | Err(_) => self.refused(kind, otherwise),
                }
            }
            put => {
                put?;
                self.stats.objects.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Ships the segment that ends before event `end`, and what belongs to it.
    fn ship(&mut self, segment: &Segment, end: u64) -> Result<(), ShipError> {
        let first = segment.first;
        let tree = self.tree(end)?;
        let file = self.compressed(segment)?;
        let changed = || ShipError::Changed { file: segment.name() };
        match has_leaves(file.try_clone()?, &tree, first, end) {
            Ok(true) => {}
            Err(error) if !is_damage(&error) && error.kind() != io::ErrorKind::InvalidData => return Err(error.into()),
            Ok(false) | Err(_) => return Err(changed()),
        }
        let note = self.newest_note(first, end)?;
        if let Some((checkpoint, _)) = &note {
            let mut frontier = Frontier::from_nodes(&tree, first).map_err(io::Error::other)?;
            while frontier.size() < checkpoint.size {
                let some = tree.read(0, frontier.size(), checkpoint.size.min(frontier.size() + HASHES_AT_ONCE));
                some.map_err(io::Error::other)?.into_iter().for_each(|leaf| frontier.push(leaf));
            }
            if frontier.root() != checkpoint.root {
                return Err(changed());
            }
        }
        let leaves = |there| has_leaves(there, &tree, first, end);
        self.put(Kind::Segment(first), Content::of(&file)?, "it has other events", leaves)?;
        if let Some((_, note)) = &note {
            let key = self.key.clone();
            let fits = |there: File| {
                let mut note = String::new();
                there.take(NOTE_BYTES_MAX as u64).read_to_string(&mut note)?;
                let Ok(checkpoint) = Checkpoint::open(&note, &key) else { return Ok(false) };
                let is_within = checkpoint.size > first && checkpoint.size <= end;
                Ok(is_within && root_at(&tree, checkpoint.size).map_err(io::Error::other)? == checkpoint.root)
            };
            self.put(Kind::Checkpoint(first), Content::of_bytes(&note.as_bytes()), "it says otherwise", fits)?;
        }
        self.ship_hashes(first, end)
    }

    fn tree(&self, end: u64) -> io::Result<TreeFiles> {
        let tree = TreeFiles::open(&layout::tree(&self.dir), files::open).map_err(io::Error::other)?;
        if tree.hold(end) { Ok(tree) } else { Err(io::Error::other("the hash tree is behind the events")) }
    }

    fn ship_hashes(&mut self, first: u64, end: u64) -> Result<(), ShipError> {
        self.tree(end)?;
        let path = layout::tree_level(&layout::tree(&self.dir), 0);
        let file = files::open(&path)?;
        let content = Content { source: &file, from: first * HASH_BYTES, bytes: (end - first) * HASH_BYTES };
        self.put(Kind::Hashes(first), content, "it has other hashes", |there| Content::of(&there)?.is(&content))
    }

    /// The compressed form of a closed segment.
    fn compressed(&self, segment: &Segment) -> Result<File, ShipError> {
        // Since it was listed, it may have been compressed.
        for path in [segment.path.clone(), layout::compressed(&segment.path)] {
            if layout::is_compressed(&path) {
                return Ok(files::open(&path)?);
            }
            let partial = layout::archive_partial(&self.dir);
            let made = compress::make(&path, &partial, &self.shared.closed).and_then(|()| files::open(&partial));
            // It stays open, and leaves nothing behind.
            let _ = fs::remove_file(&partial);
            return match made {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(ShipError::Closed),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    Err(ShipError::Changed { file: segment.name() })
                }
                made => Ok(made?),
            };
        }
        Err(ShipError::Io(io::ErrorKind::NotFound.into()))
    }

    /// The newest checkpoint that covers events from `first` on, and none from `end` on.
    fn newest_note(&self, first: u64, end: u64) -> io::Result<Option<(Checkpoint, String)>> {
        let content = checkpoint_file::read(&self.dir)?;
        let (notes, _) = split_file(&content);
        let size = |note: &str| note.split('\n').nth(1).and_then(parse_number);
        let within = |note: &&&str| size(note).is_some_and(|size| size > first && size <= end);
        let Some(note) = notes.iter().rev().find(within) else { return Ok(None) };
        let checkpoint = Checkpoint::open(note, &self.key).map_err(io::Error::other)?;
        Ok(Some((checkpoint, (*note).to_owned())))
    }
}

/// Whether the objects of a span are there, by their names and lengths.
fn is_there(there: &BTreeMap<String, u64>, segment: &Segment, end: u64) -> io::Result<bool> {
    let bytes = |kind: Kind| there.get(&kind.name()).copied();
    let same = match bytes(Kind::Segment(segment.first)) {
        None => false,
        Some(bytes) if segment.is_compressed() => files::about(&segment.path)?.len() == bytes,
        Some(_) => true,
    };
    Ok(same && bytes(Kind::Hashes(segment.first)) == Some((end - segment.first) * HASH_BYTES))
}

/// Whether the lines of a compressed segment are the events `first..end`.
fn has_leaves(file: File, tree: &TreeFiles, first: u64, end: u64) -> io::Result<bool> {
    let mut lines = Lines::of(Opened::Compressed(Frames::open(file)?), 0, EVENT_BYTES_MAX)?;
    let mut at = first;
    while at < end {
        let leaves = tree.read(0, at, end.min(at + HASHES_AT_ONCE)).map_err(io::Error::other)?;
        if leaves.is_empty() {
            return Ok(false);
        }
        for leaf in leaves {
            match lines.next()? {
                Some(Line::Event(line)) if crate::leaf_hash(line) == leaf => at += 1,
                _ => return Ok(false),
            }
        }
    }
    Ok(lines.next()?.is_none() && lines.rest_bytes() == 0)
}
