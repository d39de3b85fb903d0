//! Opening a log: whether the directory holds what it should, and what is repaired.
//!
//! The newest checkpoint must be contained in the log, and so must the head that whoever opens it knows; what comes
//! after both must have a MAC of the run that wrote it ([`crate::tail`]). Otherwise somebody has cut or changed the
//! log, and it is refused before anything in the directory is touched, or signed. The whole log is examined only by
//! verification: opening hashes the newest segment, and what the tree does not cover.
//!
//! Only a crash leaves events without a MAC: none of them was answered as being on disk. They are set aside. A log that
//! was closed has none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_files as files;

use crate::{
    Checkpoint, FileError, Frontier, Hash, TlogError, TreeError, VerifierKey,
    checkpoint_file::{CheckpointFile, newest_note},
    consistency_proof, layout,
    layout::Segment,
    leaf_hash,
    lines::Lines,
    root_at,
    segment::{self, LeavesError, OpenSegment},
    tail::{self, TailKey},
    tree::Tree,
    tree_files::TreeFiles,
    verify_consistency,
};

/// What the operator can do about a log that has been changed.
pub const MEND: &str = "nothing was changed: `jomae audit verify` tells more, `jomae restore` brings a backup back; to \
                        begin a new log, move the directory away and keep it, and start once with --new-audit-log";
/// Leaf hashes compared at a time.
const LEAVES_AT_ONCE: u64 = 4096;

/// A tree head of RFC 6962: how far a log has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Events that are on disk, covered by a signed checkpoint.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl TreeHead {
    /// The root as text: Base64.
    pub fn root_text(&self) -> String {
        STANDARD.encode(self.root)
    }
}

/// What is known of a log from a source outside of its directory.
pub struct KnownHead {
    /// How far it had come, at least.
    pub head: TreeHead,
    /// Whether nothing was written after that.
    pub stopped: bool,
    /// The key of the run that wrote what comes after it.
    pub tail_key: TailKey,
}

/// What a log is checked against when it is opened, beside its own files.
pub struct Trust {
    /// What is known of it.
    pub known: Option<KnownHead>,
    /// The key of this run's MACs.
    pub tail_key: TailKey,
}

/// Why the log is not opened; one line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file cannot be read or written.
    #[error("the audit log cannot be used: {0}")]
    File(#[from] FileError),
    /// Events are missing at its end.
    #[error(
        "the audit log in {} has been cut: {by} covers {covered} events, and only {events} are there; \
         {MEND}", dir.display()
    )]
    Cut {
        /// The directory.
        dir: PathBuf,
        /// Who says so.
        by: &'static str,
        /// How many events there were.
        covered: u64,
        /// How many there are.
        events: u64,
    },
    /// There are events that this service did not write.
    #[error(
        "the audit log in {} has been continued by somebody else: the service was stopped after {expected} events, and \
         {events} are there; {MEND}", dir.display()
    )]
    Continued {
        /// The directory.
        dir: PathBuf,
        /// How many events there were.
        expected: u64,
        /// How many there are.
        events: u64,
    },
    /// Events are not what they were.
    #[error("the audit log in {} has been changed: {what}; {MEND}", dir.display())]
    Changed {
        /// The directory.
        dir: PathBuf,
        /// What is not as it was, as half a sentence.
        what: String,
    },
    /// The newest checkpoint is not signed by the key.
    #[error("the newest checkpoint of the audit log in {} is not of this service: {why}; {MEND}", dir.display())]
    ForeignCheckpoint {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        why: TlogError,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let of_file = FileError::of(path);
        move |source| Self::File(of_file(source))
    }
}

/// Whether the directory holds a log: an event, a leaf hash or a checkpoint.
pub fn has_log(dir: &Path) -> io::Result<bool> {
    if files::about(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(false);
    }
    let filled = |path: &Path| match files::about(path) {
        Ok(about) => Ok(about.len() > 0 || !about.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    for segment in layout::segments(dir)? {
        if filled(&segment.path)? {
            return Ok(true);
        }
    }
    Ok(filled(&layout::tree_level(&layout::tree(dir), 0))? || filled(&layout::checkpoints(dir))?)
}

/// The parts of a log, ready to be written.
pub(crate) struct OpenedFiles {
    pub segment: OpenSegment,
    pub tree: Tree,
    pub checkpoints: CheckpointFile,
    /// The newest checkpoint, and its note.
    pub newest: Option<(Checkpoint, String)>,
}

/// A tree head that is trusted, and where it is from.
#[derive(Clone, Copy)]
struct TrustedHead {
    size: u64,
    root: Hash,
    by: &'static str,
}

impl TrustedHead {
    /// The longer of what the newest checkpoint and what the store says.
    fn of(newest: Option<&Checkpoint>, known: Option<&KnownHead>) -> Option<Self> {
        let checkpoint =
            newest.map(|newest| Self { size: newest.size, root: newest.root, by: "its newest checkpoint" });
        let head =
            known.map(|KnownHead { head, .. }| Self { size: head.size, root: head.root, by: "the store's record" });
        match (checkpoint, head) {
            (Some(checkpoint), Some(head)) if head.size > checkpoint.size => Some(head),
            (checkpoint, head) => checkpoint.or(head),
        }
    }
}

/// Opens a log, or begins one. `known` is what the store knows of it.
pub(crate) fn open(dir: &Path, key: &VerifierKey, known: Option<&KnownHead>) -> Result<OpenedFiles, OpenError> {
    let in_dir = || OpenError::io(dir);
    let newest = newest_of(dir, key)?;
    check_dirs(dir)?;
    finish_rebuild(dir).map_err(in_dir())?;
    let segments = layout::segments(dir).map_err(in_dir())?;
    let (mut first, found) = last_of(&segments)?;
    let tree_dir = layout::tree(dir);
    let base = TrustedHead::of(newest.as_ref().map(|(checkpoint, _)| checkpoint), known);
    let covered = base.map_or(0, |base| base.size);
    if let Some(TrustedHead { size, by, .. }) = base.filter(|base| base.size > found) {
        return Err(OpenError::Cut { dir: dir.to_owned(), by, covered: size, events: found });
    }
    if let Some(base) = base
        && !holds(&tree_dir, base, segments.last())?
    {
        rebuild(dir, &segments, base)?;
    }
    let events = match known {
        Some(known) => {
            let events = authentic(dir, known, base, found)?;
            let ends_there = ends_there(known, base);
            if events < found {
                if ends_there {
                    return Err(OpenError::Continued { dir: dir.to_owned(), expected: known.head.size, events: found });
                }
                set_aside(dir, &segments, events)?;
                first = last_of(&layout::segments(dir).map_err(in_dir())?)?.0;
            }
            events
        }
        None => found,
    };
    let mut tree = Tree::open(&tree_dir, covered)?;
    let segment = OpenSegment::open(dir, first).map_err(OpenError::io(&layout::segment(dir, first)))?;
    grow_from_files(dir, &mut tree, events)?;
    // Left by a crash behind a tree that is whole.
    remove_dir(&layout::old_tree(dir))?;
    let checkpoints = CheckpointFile::open(dir).map_err(OpenError::io(&layout::checkpoints(dir)))?;
    Ok(OpenedFiles { segment, tree, checkpoints, newest })
}

/// How far a log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Whole events that are there.
    pub events: u64,
    /// How many of them are proven. Opening the log moves the others out of it.
    pub authentic: u64,
}

/// Checks, as opening does but without any change, that a log continues what is known of it.
pub fn extent(dir: &Path, key: &VerifierKey, known: Option<&KnownHead>) -> Result<Extent, OpenError> {
    let newest = newest_of(dir, key)?;
    check_dirs(dir)?;
    let (_, events) = last_of(&layout::segments(dir).map_err(OpenError::io(dir))?)?;
    let base = TrustedHead::of(newest.as_ref().map(|(checkpoint, _)| checkpoint), known);
    if let Some(TrustedHead { size, by, .. }) = base.filter(|base| base.size > events) {
        return Err(OpenError::Cut { dir: dir.to_owned(), by, covered: size, events });
    }
    let authentic = known.map_or(Ok(events), |known| authentic(dir, known, base, events))?;
    match known {
        Some(known) if ends_there(known, base) && authentic < events => {
            Err(OpenError::Continued { dir: dir.to_owned(), expected: known.head.size, events })
        }
        _ => Ok(Extent { events, authentic }),
    }
}

/// The newest checkpoint, and its note.
fn newest_of(dir: &Path, key: &VerifierKey) -> Result<Option<(Checkpoint, String)>, OpenError> {
    let note = newest_note(dir).map_err(OpenError::io(&layout::checkpoints(dir)))?;
    note.map(|note| match Checkpoint::open(&note, key) {
        Ok(checkpoint) => Ok((checkpoint, note)),
        Err(why) => Err(OpenError::ForeignCheckpoint { dir: dir.to_owned(), why }),
    })
    .transpose()
}

/// Checks that no directory of a log is a link.
fn check_dirs(dir: &Path) -> Result<(), OpenError> {
    [dir.to_owned(), layout::tree(dir), layout::index(dir), layout::new_tree(dir), layout::old_tree(dir)]
        .iter()
        .try_for_each(|dir| files::check_dir(dir).map_err(OpenError::io(dir)))
}

/// The first event of the segment that is written to, and how many there are in all.
fn last_of(segments: &[Segment]) -> Result<(u64, u64), OpenError> {
    let Some(last) = segments.last() else { return Ok((0, 0)) };
    if last.is_compressed() {
        // It is closed, and the one behind it had no event.
        let count = || {
            let (mut lines, mut end) = (Lines::open(&last.path)?, last.first);
            while lines.next_line()?.is_some() {
                end = end.saturating_add(1);
            }
            Ok(end)
        };
        let end = count().map_err(OpenError::io(&last.path))?;
        return Ok((end, end));
    }
    let measured = segment::measure(&last.path).map_err(OpenError::io(&last.path))?;
    Ok((last.first, last.first.saturating_add(measured.events)))
}

/// Whether nobody but this service can have written after the end that the store knows. With a later checkpoint the
/// store is an older copy than the log.
fn ends_there(known: &KnownHead, base: Option<TrustedHead>) -> bool {
    let later = base.is_some_and(|base| base.size > known.head.size);
    if known.stopped && later {
        tracing::warn!(
            known = known.head.size,
            "the audit log has gone on after the stop that the store knows of: the store is an older copy"
        );
    }
    known.stopped && !later
}

/// Checks that a log goes on from what the store knows of it; gives how many of its first `found` events are beyond
/// doubt. `base` is contained in its tree already.
fn authentic(dir: &Path, known: &KnownHead, base: Option<TrustedHead>, found: u64) -> Result<u64, OpenError> {
    let tree_dir = layout::tree(dir);
    let Some(base) = base else { return Ok(0) };
    let proven = if base.size == 0 {
        Frontier::default()
    } else {
        let tree = TreeFiles::open(&tree_dir, files::open)?;
        let proof = match consistency_proof(&tree, known.head.size, base.size) {
            Err(TreeError::Node(error)) => return Err(error.into()),
            proof => proof.unwrap_or_default(),
        };
        if !verify_consistency(known.head.size, &known.head.root, base.size, &base.root, &proof) {
            let what = format!(
                "{} has {} events with the root {}, which do not go on from the {} with the root {} that the store knows",
                base.by,
                base.size,
                STANDARD.encode(base.root),
                known.head.size,
                known.head.root_text()
            );
            return Err(OpenError::Changed { dir: dir.to_owned(), what });
        }
        Frontier::from_nodes(&tree, base.size)?
    };
    tail::authenticated(dir, &known.tail_key, proven, found).map_err(|error| of_leaves(dir, error))
}

/// Takes the events behind the first `events` out of the log, into files beside it.
fn set_aside(dir: &Path, segments: &[Segment], events: u64) -> Result<(), OpenError> {
    tracing::warn!(
        from = events,
        dir = %dir.display(),
        "the last audit events have no proof that this service wrote them, as a crash in the middle of a write leaves \
         them; they were set aside"
    );
    // The index may have them.
    remove_dir(&layout::index(dir))?;
    for segment in segments.iter().rev() {
        let failed = || OpenError::io(&segment.path);
        if segment.first <= events {
            return segment::cut(segment, events).map_err(failed());
        }
        fs::rename(&segment.path, layout::torn(&segment.path, 0)).map_err(failed())?;
    }
    Ok(())
}

/// Whether the files of the tree give this root, and the hashes of the newest segment's events.
fn holds(tree_dir: &Path, base: TrustedHead, last: Option<&Segment>) -> Result<bool, OpenError> {
    let tree = TreeFiles::open(tree_dir, files::open)?;
    if !tree.hold(base.size) {
        return Ok(false);
    }
    match root_at(&tree, base.size) {
        Ok(root) if root == base.root => {}
        Ok(_) | Err(TreeError::Range) => return Ok(false),
        Err(TreeError::Node(error)) => return Err(error.into()),
    }
    let Some(last) = last else { return Ok(true) };
    let mut lines = Lines::open(&last.path).map_err(OpenError::io(&last.path))?;
    let mut at = last.first;
    while at < base.size {
        let row = tree.read(0, at, base.size.min(at + LEAVES_AT_ONCE))?;
        for leaf in &row {
            if lines.next_line().map_err(OpenError::io(&last.path))?.map(leaf_hash).as_ref() != Some(leaf) {
                return Ok(false);
            }
        }
        at += row.len() as u64;
    }
    Ok(true)
}

/// Appends the leaves of the events that a tree does not have yet, up to `events`.
pub(crate) fn grow_from_files(dir: &Path, tree: &mut Tree, events: u64) -> Result<(), OpenError> {
    segment::leaves(dir, tree.size(), events, |leaves| tree.push(leaves)).map_err(|error| of_leaves(dir, error))
}

fn of_leaves(dir: &Path, error: LeavesError) -> OpenError {
    match error {
        LeavesError::File(error) => error.into(),
        LeavesError::Missing(event) => OpenError::Changed {
            dir: dir.to_owned(),
            what: format!(
                "event {event} is missing, or is there twice: the names of the files do not fit the lines in them"
            ),
        },
    }
}

/// Makes the tree anew from all events beside the old one, and takes it if it gives the right root.
fn rebuild(dir: &Path, segments: &[Segment], base: TrustedHead) -> Result<(), OpenError> {
    let (old, new) = (layout::tree(dir), layout::new_tree(dir));
    remove_dir(&new)?;
    let built = build(dir, segments, base, &new);
    if built.is_err() {
        remove_dir(&new)?;
        return built;
    }
    tracing::warn!(dir = %old.display(), "the hash tree of the audit log was incomplete or damaged; it was made anew");
    // At every moment one of them is there whole: of events that retention has removed there is nothing else.
    let before = layout::old_tree(dir);
    remove_dir(&before)?;
    match fs::rename(&old, &before) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OpenError::io(&old)(error)),
        _ => {}
    }
    fs::rename(&new, &old).map_err(OpenError::io(&new))?;
    files::sync_dir_of(&old).map_err(OpenError::io(dir))?;
    remove_dir(&before)
}

fn remove_dir(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Puts the old tree back if a crash came before the new one took its place.
fn finish_rebuild(dir: &Path) -> io::Result<()> {
    let (tree, before) = (layout::tree(dir), layout::old_tree(dir));
    if files::about(&tree).is_ok() || files::about(&before).is_err() {
        return Ok(());
    }
    fs::rename(&before, &tree)?;
    files::sync_dir_of(&tree)
}

fn build(dir: &Path, segments: &[Segment], base: TrustedHead, to: &Path) -> Result<(), OpenError> {
    let oldest = segments.first().map_or(0, |segment| segment.first);
    let covered = base.size;
    let old = TreeFiles::open(&layout::tree(dir), files::open).ok();
    let old_leaves = |from: u64, to: u64| {
        let leaves = old.as_ref().and_then(|old| old.read(0, from, to).ok());
        leaves.unwrap_or_default()
    };
    let mut tree = Tree::open(to, 0)?;
    // Of the events that retention has removed only these are left.
    while tree.size() < oldest.min(covered) {
        let leaves = old_leaves(tree.size(), oldest.min(covered));
        if leaves.is_empty() {
            let what = format!(
                "the hashes of events {} and later are lost, and their files are not there either",
                tree.size()
            );
            return Err(OpenError::Changed { dir: dir.to_owned(), what });
        }
        tree.push(&leaves).map_err(OpenError::io(to))?;
    }
    let mut first_difference = None;
    let mut compare = |from: u64, leaves: &[Hash]| {
        let before = old_leaves(from, from + leaves.len() as u64);
        let different = before.iter().zip(leaves).zip(from..).find(|((before, now), _)| before != now);
        first_difference = first_difference.or(different.map(|(_, at)| at));
    };
    segment::leaves(dir, tree.size(), covered, |leaves| {
        compare(tree.size(), leaves);
        tree.push(leaves)
    })
    .map_err(|error| of_leaves(dir, error))?;
    if tree.root() != base.root {
        let what = match first_difference {
            Some(event) => format!("event {event} is not the one whose hash is in the tree"),
            None => format!("its first {covered} events do not give the root that {} states", base.by),
        };
        return Err(OpenError::Changed { dir: dir.to_owned(), what });
    }
    tree.sync().map_err(OpenError::io(to))
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
