//! Copying a log, in use or not: for backups.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{checkpoints, public_key_path, segments, tail, tree};
use crate::files;

/// A file that could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct CopyError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Copies a log into the directory `to`, which is there; gives how many files with events there are. The look-up
/// index is left out: it is made anew.
pub fn copy(from: &Path, to: &Path) -> Result<usize, CopyError> {
    // Links to directories would bring in what is none of the log's.
    for dir in [from.to_owned(), tree::dir_of(from)] {
        files::check_dir_of_others(&dir).map_err(|source| CopyError { path: dir, source })?;
    }
    // First the checkpoints: what comes later may hold more than they cover, never less.
    copy_file(&checkpoints::path(from), to)?;
    copy_file(&public_key_path(from), to)?;
    copy_file(&tail::path(from), to)?;
    let in_dir = |source| CopyError { path: from.to_owned(), source };
    // Then the tree, the upper files first: of a log in use, no file may have more than the next one.
    let (from_tree, to_tree) = (tree::dir_of(from), tree::dir_of(to));
    let in_copy = |source| CopyError { path: to_tree.clone(), source };
    files::private_dir(&to_tree).map_err(in_copy)?;
    for level in tree::LEVELS.into_iter().rev() {
        copy_file(&from_tree.join(level.to_string()), &to_tree)?;
    }
    let mut copied = 0;
    // The newest first: retention removes the oldest, and so it leaves no gap.
    for segment in segments::list(from).map_err(in_dir)?.into_iter().rev() {
        copied += usize::from(copy_file(&segment.path, to)?);
    }
    files::sync_dir_of(&to_tree.join("0")).and_then(|()| files::sync_dir_of(&to_tree)).map_err(in_copy)?;
    Ok(copied)
}

/// Copies a file into a directory, and whether it was there: retention may have removed it meanwhile.
fn copy_file(from: &Path, to: &Path) -> Result<bool, CopyError> {
    let copy = to.join(from.file_name().unwrap_or_default());
    match files::copy_of_others(from, &copy) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && files::about(from).is_err() => Ok(false),
        Err(source) => Err(CopyError { path: from.to_owned(), source }),
    }
}
