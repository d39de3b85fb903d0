//! What a start finds in the directory, and what it makes of it.
//!
//! The newest checkpoint must be contained in the log. Otherwise somebody has cut or changed it, and the start is
//! refused before anything in the directory is touched. The whole log is examined only by verification: a start
//! hashes the newest segment, and what the tree does not cover.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jomae_core::tlog::{
    Checkpoint, Hash, TlogError, TreeError, VerifierKey, checkpoint::split_file, leaf_hash, root_at,
};

use super::{
    checkpoints::{self, Checkpoints},
    legacy,
    segments::{self, LeavesError, Lines, OpenSegment, Segment},
    tree::{self, Tree, TreeFiles},
};

/// What an operator does about a log that is not what it was.
const MEND: &str = "nothing was changed: `jomae audit verify` tells more, `jomae restore` brings a backup back; to begin \
                    a new log, move the directory away and keep it";
/// Leaf hashes compared at a time.
const LEAVES_AT_ONCE: usize = 4096;

/// Why the log is not opened; one line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the audit log cannot be used: {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the audit log in {} has been cut: its newest checkpoint covers {covered} events, and only {events} are there; \
         {MEND}", dir.display()
    )]
    Cut { dir: PathBuf, covered: u64, events: u64 },
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

impl OpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Whether the directory holds a log: an event, a leaf hash or a checkpoint.
pub fn has_log(dir: &Path) -> io::Result<bool> {
    let filled = |path: &Path| match fs::metadata(path) {
        Ok(about) => Ok(about.len() > 0 || !about.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    for segment in segments::list(dir)? {
        if filled(&segment.path)? {
            return Ok(true);
        }
    }
    Ok(legacy::is_old(dir)? || filled(&tree::dir_of(dir).join("0"))? || filled(&checkpoints::path(dir))?)
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

/// Opens a log, or begins one.
pub(super) fn open(dir: &Path, key: &VerifierKey) -> Result<Parts, OpenError> {
    let in_dir = || OpenError::io(dir);
    let newest = match newest_note(dir).map_err(OpenError::io(&checkpoints::path(dir)))? {
        Some(note) => match Checkpoint::open(&note, key) {
            Ok(checkpoint) => Some((checkpoint, note)),
            Err(why) => return Err(OpenError::ForeignCheckpoint { dir: dir.to_owned(), why }),
        },
        None => None,
    };
    legacy::take_over(dir).map_err(in_dir())?;
    finish_rebuild(dir).map_err(in_dir())?;
    let segments = segments::list(dir).map_err(in_dir())?;
    let (first, events) = match segments.last() {
        Some(last) => {
            let measured = segments::measure(&last.path).map_err(OpenError::io(&last.path))?;
            (last.first, last.first.saturating_add(measured.events))
        }
        None => (0, 0),
    };
    let covered = newest.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
    if covered > events {
        return Err(OpenError::Cut { dir: dir.to_owned(), covered, events });
    }
    let tree_dir = tree::dir_of(dir);
    let mut tree = match &newest {
        Some((checkpoint, _)) if holds(&tree_dir, checkpoint, segments.last()).map_err(OpenError::io(&tree_dir))? => {
            Tree::open(&tree_dir, covered)
        }
        Some((checkpoint, _)) => {
            rebuild(dir, &segments, checkpoint)?;
            Tree::open(&tree_dir, covered)
        }
        None => Tree::open(&tree_dir, 0),
    }
    .map_err(OpenError::io(&tree_dir))?;
    let segment = OpenSegment::open(dir, first).map_err(OpenError::io(&segments::path(dir, first)))?;
    grow_from_files(dir, &mut tree, events)?;
    // Left by a crash behind a tree that is whole.
    remove_dir(&before_rebuild(dir))?;
    let checkpoints = Checkpoints::open(dir).map_err(OpenError::io(&checkpoints::path(dir)))?;
    Ok(Parts { segment, tree, checkpoints, newest })
}

/// Whether the files of the tree give the root of the checkpoint, and the hashes of the newest segment's events.
fn holds(tree_dir: &Path, checkpoint: &Checkpoint, last: Option<&Segment>) -> io::Result<bool> {
    let files = match TreeFiles::open(tree_dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !files.hold(checkpoint.size)? {
        return Ok(false);
    }
    match root_at(&files, checkpoint.size) {
        Ok(root) if root == checkpoint.root => {}
        Ok(_) | Err(TreeError::Range) => return Ok(false),
        Err(TreeError::Node(error)) => return Err(error),
    }
    let Some(last) = last else { return Ok(true) };
    let mut lines = Lines::open(&last.path)?;
    let mut at = last.first;
    while at < checkpoint.size {
        let row = files.read_leaves(at, at_once(checkpoint.size - at))?;
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

/// Makes the tree anew from all events beside the old one, and takes it if it gives the root of the checkpoint.
fn rebuild(dir: &Path, segments: &[Segment], checkpoint: &Checkpoint) -> Result<(), OpenError> {
    let (old, new) = (tree::dir_of(dir), dir.join("tree.new"));
    remove_dir(&new)?;
    let built = build(dir, segments, checkpoint, &new);
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
    crate::files::sync_dir_of(&old).map_err(OpenError::io(dir))?;
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
    if tree.exists() || !before.exists() {
        return Ok(());
    }
    fs::rename(&before, &tree)?;
    crate::files::sync_dir_of(&tree)
}

fn build(dir: &Path, segments: &[Segment], checkpoint: &Checkpoint, to: &Path) -> Result<(), OpenError> {
    let oldest = segments.first().map_or(0, |segment| segment.first);
    let covered = checkpoint.size;
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
    if tree.root() != checkpoint.root {
        let what = match first_difference {
            Some(event) => format!("event {event} is not the one whose hash is in the tree"),
            None => format!("its first {covered} events do not give the root that its newest checkpoint states"),
        };
        return Err(OpenError::Changed { dir: dir.to_owned(), what });
    }
    tree.sync().map_err(at_place())
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
