//! What a start finds in the directory, and what it makes of it.
//!
//! The newest checkpoint must be contained in the log, and so must the head that the store knows; what comes after both
//! must have a MAC of the run that wrote it ([`super::tail`]). Otherwise somebody has cut or changed the log, and the
//! start is refused before anything in the directory is touched, or signed. The whole log is examined only by
//! verification: a start hashes the newest segment, and what the tree does not cover.
//!
//! Only a crash leaves events without a MAC: none of them was answered as being on disk. They are set aside. A service
//! that was stopped leaves none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_log::{
    Checkpoint, Frontier, Hash, TlogError, TreeError, VerifierKey, checkpoint::split_file, consistency_proof,
    leaf_hash, root_at, verify_consistency,
};

use super::{
    checkpoints::{self, Checkpoints},
    segments::{self, LeavesError, Lines, OpenSegment, Segment},
    signing_key::{Before, Former},
    tail,
    tree::{self, Tree, TreeFiles},
};
use crate::files;

/// What an operator does about a log that is not what it was.
const MEND: &str = "nothing was changed: `jomae audit verify` tells more, `jomae restore` brings a backup back; to begin \
                    a new log, move the directory away and keep it, and start once with --new-audit-log";
/// Leaf hashes compared at a time.
const LEAVES_AT_ONCE: usize = 4096;

/// Why the log is not opened; one line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the audit log cannot be used: {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the audit log in {} has been cut: {by} covers {covered} events, and only {events} are there; \
         {MEND}", dir.display()
    )]
    Cut { dir: PathBuf, by: &'static str, covered: u64, events: u64 },
    #[error(
        "the audit log in {} has been continued by somebody else: the service was stopped after {expected} events, and \
         {events} are there; {MEND}", dir.display()
    )]
    Continued { dir: PathBuf, expected: u64, events: u64 },
    #[error(
        "the audit log in {} is gone, but this service had one{}; put it back, or bring a backup back with \
         `jomae restore`; to begin a new log, start once with --new-audit-log", dir.display(), described(former.as_ref())
    )]
    Gone { dir: PathBuf, former: Option<Former> },
    #[error(
        "--new-audit-log begins a new audit log where there is none, and there is one in {}: to begin a new one, move \
         the directory away and keep it; else start without the option", .0.display()
    )]
    NotGone(PathBuf),
    #[error("the audit log in {} is {origin}, which another log of this service has followed; {MEND}", dir.display())]
    Former { dir: PathBuf, origin: String },
    #[error("the audit log in {} has events, but the store has no key of a log; {MEND}", .0.display())]
    Unknown(PathBuf),
    #[error("the audit log in {} has been changed: {what}; {MEND}", dir.display())]
    Changed { dir: PathBuf, what: String },
    #[error("the audit log in {} has events, but its checkpoints are gone; {MEND}", .0.display())]
    NoCheckpoint(PathBuf),
    #[error("the newest checkpoint of the audit log in {} is not of this service: {why}; {MEND}", dir.display())]
    ForeignCheckpoint { dir: PathBuf, why: TlogError },
    #[error("audit.origin: {0}")]
    Origin(TlogError),
    #[error("the key of the audit log: {0}")]
    Key(#[from] jomae_core::error::Fault),
}

/// A log that is not there, for a sentence.
fn described(former: Option<&Former>) -> String {
    match former {
        Some(Former { origin, head: Some(head) }) => {
            format!(": {origin}, of {} events with the root {}", head.size, head.root_text())
        }
        Some(Former { origin, head: None }) => format!(": {origin}"),
        None => String::new(),
    }
}

impl OpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
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
    for segment in segments::list(dir)? {
        if filled(&segment.path)? {
            return Ok(true);
        }
    }
    Ok(filled(&tree::dir_of(dir).join("0"))? || filled(&checkpoints::path(dir))?)
}

/// The newest whole checkpoint.
pub(super) fn newest_note(dir: &Path) -> io::Result<Option<String>> {
    let content = checkpoints::read(dir)?;
    Ok(split_file(&content).0.last().map(|note| (*note).to_owned()))
}

/// The parts of a log, ready to be written.
pub(super) struct Parts {
    pub segment: OpenSegment,
    pub tree: Tree,
    pub checkpoints: Checkpoints,
    /// The newest checkpoint, and its note.
    pub newest: Option<(Checkpoint, String)>,
}

/// A size with its root that is beyond doubt, and who says so.
#[derive(Clone, Copy)]
struct Base {
    size: u64,
    root: Hash,
    by: &'static str,
}

impl Base {
    /// The longer of what the newest checkpoint and what the store says.
    fn of(newest: Option<&Checkpoint>, before: Option<&Before>) -> Option<Self> {
        let checkpoint =
            newest.map(|newest| Self { size: newest.size, root: newest.root, by: "its newest checkpoint" });
        let head =
            before.map(|Before { head, .. }| Self { size: head.size, root: head.root, by: "the store's record" });
        match (checkpoint, head) {
            (Some(checkpoint), Some(head)) if head.size > checkpoint.size => Some(head),
            (checkpoint, head) => checkpoint.or(head),
        }
    }
}

/// Opens a log, or begins one. `before` is what the store knows of it.
pub(super) fn open(dir: &Path, key: &VerifierKey, before: Option<&Before>) -> Result<Parts, OpenError> {
    let in_dir = || OpenError::io(dir);
    let newest = newest_of(dir, key)?;
    check_dirs(dir)?;
    finish_rebuild(dir).map_err(in_dir())?;
    let segments = segments::list(dir).map_err(in_dir())?;
    let (mut first, found) = last_of(&segments)?;
    let tree_dir = tree::dir_of(dir);
    let base = Base::of(newest.as_ref().map(|(checkpoint, _)| checkpoint), before);
    let covered = base.map_or(0, |base| base.size);
    if let Some(Base { size, by, .. }) = base.filter(|base| base.size > found) {
        return Err(OpenError::Cut { dir: dir.to_owned(), by, covered: size, events: found });
    }
    if let Some(base) = base
        && !holds(&tree_dir, base, segments.last()).map_err(OpenError::io(&tree_dir))?
    {
        rebuild(dir, &segments, base)?;
    }
    let events = match before {
        Some(before) => {
            let events = authentic(dir, before, base, found)?;
            let ends_there = ends_there(before, base);
            if events < found {
                if ends_there {
                    return Err(OpenError::Continued {
                        dir: dir.to_owned(),
                        expected: before.head.size,
                        events: found,
                    });
                }
                set_aside(dir, &segments, events)?;
                first = last_of(&segments::list(dir).map_err(in_dir())?)?.0;
            }
            events
        }
        None => found,
    };
    let mut tree = Tree::open(&tree_dir, covered).map_err(OpenError::io(&tree_dir))?;
    let segment = OpenSegment::open(dir, first).map_err(OpenError::io(&segments::path(dir, first)))?;
    grow_from_files(dir, &mut tree, events)?;
    // Left by a crash behind a tree that is whole.
    remove_dir(&before_rebuild(dir))?;
    let checkpoints = Checkpoints::open(dir).map_err(OpenError::io(&checkpoints::path(dir)))?;
    Ok(Parts { segment, tree, checkpoints, newest })
}

/// How far a log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Whole events that are there.
    pub events: u64,
    /// How many of them are beyond doubt. A start sets the others aside.
    pub authentic: u64,
}

/// Checks without any change that a log goes on from what the store knows of it, as a start does.
pub(super) fn extent(dir: &Path, key: &VerifierKey, before: Option<&Before>) -> Result<Extent, OpenError> {
    let newest = newest_of(dir, key)?;
    check_dirs(dir)?;
    let (_, events) = last_of(&segments::list(dir).map_err(OpenError::io(dir))?)?;
    let base = Base::of(newest.as_ref().map(|(checkpoint, _)| checkpoint), before);
    if let Some(Base { size, by, .. }) = base.filter(|base| base.size > events) {
        return Err(OpenError::Cut { dir: dir.to_owned(), by, covered: size, events });
    }
    let authentic = before.map_or(Ok(events), |before| authentic(dir, before, base, events))?;
    match before {
        Some(before) if ends_there(before, base) && authentic < events => {
            Err(OpenError::Continued { dir: dir.to_owned(), expected: before.head.size, events })
        }
        _ => Ok(Extent { events, authentic }),
    }
}

/// The newest checkpoint, and its note.
fn newest_of(dir: &Path, key: &VerifierKey) -> Result<Option<(Checkpoint, String)>, OpenError> {
    let note = newest_note(dir).map_err(OpenError::io(&checkpoints::path(dir)))?;
    note.map(|note| match Checkpoint::open(&note, key) {
        Ok(checkpoint) => Ok((checkpoint, note)),
        Err(why) => Err(OpenError::ForeignCheckpoint { dir: dir.to_owned(), why }),
    })
    .transpose()
}

/// No part of a log is somewhere else.
fn check_dirs(dir: &Path) -> Result<(), OpenError> {
    [dir.to_owned(), tree::dir_of(dir), dir.join("index"), dir.join("tree.new"), before_rebuild(dir)]
        .iter()
        .try_for_each(|dir| files::check_dir(dir).map_err(OpenError::io(dir)))
}

/// The first event of the newest segment, and how many there are in all.
fn last_of(segments: &[Segment]) -> Result<(u64, u64), OpenError> {
    let Some(last) = segments.last() else { return Ok((0, 0)) };
    let measured = segments::measure(&last.path).map_err(OpenError::io(&last.path))?;
    Ok((last.first, last.first.saturating_add(measured.events)))
}

/// Whether nobody but this service can have written after the end that the store knows. With a later checkpoint the
/// store is an older copy than the log.
fn ends_there(before: &Before, base: Option<Base>) -> bool {
    let later = base.is_some_and(|base| base.size > before.head.size);
    if before.stopped && later {
        tracing::warn!(
            known = before.head.size,
            "the audit log has gone on after the stop that the store knows of: the store is an older copy"
        );
    }
    before.stopped && !later
}

/// Checks that a log goes on from what the store knows of it; gives how many of its first `found` events are beyond
/// doubt. `base` is contained in its tree already.
fn authentic(dir: &Path, before: &Before, base: Option<Base>, found: u64) -> Result<u64, OpenError> {
    let tree_dir = tree::dir_of(dir);
    let Some(base) = base else { return Ok(0) };
    let known = if base.size == 0 {
        Frontier::default()
    } else {
        let files = TreeFiles::open(&tree_dir).map_err(OpenError::io(&tree_dir))?;
        let proof = match consistency_proof(&files, before.head.size, base.size) {
            Err(TreeError::Node(error)) => return Err(OpenError::io(&tree_dir)(error)),
            proof => proof.unwrap_or_default(),
        };
        if !verify_consistency(before.head.size, &before.head.root, base.size, &base.root, &proof) {
            let what = format!(
                "{} has {} events with the root {}, which do not go on from the {} with the root {} that the store knows",
                base.by,
                base.size,
                STANDARD.encode(base.root),
                before.head.size,
                before.head.root_text()
            );
            return Err(OpenError::Changed { dir: dir.to_owned(), what });
        }
        Frontier::from_nodes(&files, base.size).map_err(OpenError::io(&tree_dir))?
    };
    tail::authenticated(dir, &before.tail_key, known, found).map_err(|error| of_leaves(dir, error))
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
    remove_dir(&dir.join("index"))?;
    for segment in segments.iter().rev() {
        let failed = || OpenError::io(&segment.path);
        if segment.first <= events {
            return segments::cut(segment, events).map_err(failed());
        }
        fs::rename(&segment.path, segment.path.with_extension("torn-at-0")).map_err(failed())?;
    }
    Ok(())
}

/// Whether the files of the tree give this root, and the hashes of the newest segment's events.
fn holds(tree_dir: &Path, base: Base, last: Option<&Segment>) -> io::Result<bool> {
    let files = match TreeFiles::open(tree_dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !files.hold(base.size)? {
        return Ok(false);
    }
    match root_at(&files, base.size) {
        Ok(root) if root == base.root => {}
        Ok(_) | Err(TreeError::Range) => return Ok(false),
        Err(TreeError::Node(error)) => return Err(error),
    }
    let Some(last) = last else { return Ok(true) };
    let mut lines = Lines::open(&last.path)?;
    let mut at = last.first;
    while at < base.size {
        let row = files.read_leaves(at, at_once(base.size - at))?;
        for leaf in &row {
            if lines.next_line()?.map(leaf_hash).as_ref() != Some(leaf) {
                return Ok(false);
            }
        }
        at += row.len() as u64;
    }
    Ok(true)
}

fn at_once(left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(LEAVES_AT_ONCE)
}

/// Appends the leaves of the events that a tree does not have yet, up to `events`.
pub(super) fn grow_from_files(dir: &Path, tree: &mut Tree, events: u64) -> Result<(), OpenError> {
    segments::leaves(dir, tree.size(), events, |leaves| tree.push(leaves)).map_err(|error| of_leaves(dir, error))
}

fn of_leaves(dir: &Path, error: LeavesError) -> OpenError {
    match error {
        LeavesError::Io(path, source) => OpenError::Io { path, source },
        LeavesError::Missing(event) => OpenError::Changed {
            dir: dir.to_owned(),
            what: format!(
                "event {event} is missing, or is there twice: the names of the files do not fit the lines in them"
            ),
        },
    }
}

/// Makes the tree anew from all events beside the old one, and takes it if it gives the right root.
fn rebuild(dir: &Path, segments: &[Segment], base: Base) -> Result<(), OpenError> {
    let (old, new) = (tree::dir_of(dir), dir.join("tree.new"));
    remove_dir(&new)?;
    let built = build(dir, segments, base, &new);
    if built.is_err() {
        remove_dir(&new)?;
        return built;
    }
    tracing::warn!(dir = %old.display(), "the hash tree of the audit log was incomplete or damaged; it was made anew");
    // At every moment one of them is there whole: of events that retention has removed there is nothing else.
    let before = before_rebuild(dir);
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

/// Where the old tree is while a new one takes its place.
fn before_rebuild(dir: &Path) -> PathBuf {
    dir.join("tree.old")
}

/// Puts the old tree back if a crash came before the new one took its place.
fn finish_rebuild(dir: &Path) -> io::Result<()> {
    let (tree, before) = (tree::dir_of(dir), before_rebuild(dir));
    if files::about(&tree).is_ok() || files::about(&before).is_err() {
        return Ok(());
    }
    fs::rename(&before, &tree)?;
    files::sync_dir_of(&tree)
}

fn build(dir: &Path, segments: &[Segment], base: Base, to: &Path) -> Result<(), OpenError> {
    let oldest = segments.first().map_or(0, |segment| segment.first);
    let covered = base.size;
    let old = TreeFiles::open(&tree::dir_of(dir)).ok();
    let at_place = || OpenError::io(to);
    let mut tree = Tree::open(to, 0).map_err(at_place())?;
    // Of the events that retention has removed only these are left.
    while tree.size() < oldest.min(covered) {
        let count = at_once(oldest.min(covered) - tree.size());
        let leaves = old.as_ref().and_then(|old| old.read_leaves(tree.size(), count).ok()).ok_or_else(|| {
            let what = format!(
                "the hashes of events {} and later are lost, and their files are not there either",
                tree.size()
            );
            OpenError::Changed { dir: dir.to_owned(), what }
        })?;
        tree.push(&leaves).map_err(at_place())?;
    }
    let mut first_difference = None;
    let mut compare = |from: u64, leaves: &[Hash]| {
        let before = old.as_ref().and_then(|old| old.read_leaves(from, leaves.len()).ok()).unwrap_or_default();
        let different = before.iter().zip(leaves).zip(from..).find(|((before, now), _)| before != now);
        first_difference = first_difference.or(different.map(|(_, at)| at));
    };
    segments::leaves(dir, tree.size(), covered, |leaves| {
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
    tree.sync().map_err(at_place())
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
