//! Copying a log, in use or not: for backups.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
};

use jomae_files as files;

use crate::{FileError, layout};

const BLOCK_BYTES: usize = 256 * 1024;

/// Copies a log into an existing directory; returns how many segments were copied. The look-up index is left out: it is
/// rebuilt.
pub fn copy(from: &Path, to: &Path) -> Result<usize, FileError> {
    copy_but(from, to, &|_, _| false)
}

/// As [`copy`], without the compressed segments that somebody has already, by name and length in bytes.
pub fn copy_but(from: &Path, to: &Path, has: &dyn Fn(&str, u64) -> bool) -> Result<usize, FileError> {
    // Links to directories would bring in what is none of the log's.
    for dir in [from.to_owned(), layout::tree(from)] {
        files::check_dir_of_others(&dir).map_err(FileError::of(&dir))?;
    }
    // First the checkpoints: what comes later may hold more than they cover, never less.
    copy_file(&layout::checkpoints(from), to)?;
    copy_file(&layout::public_key(from), to)?;
    copy_file(&layout::tail_mac(from), to)?;
    // Then the tree, the upper files first: of a log in use, no file may have more than the next one.
    let (from_tree, to_tree) = (layout::tree(from), layout::tree(to));
    files::private_dir(&to_tree).map_err(FileError::of(&to_tree))?;
    for level in layout::TREE_LEVELS.into_iter().rev() {
        copy_file(&layout::tree_level(&from_tree, level), &to_tree)?;
    }
    let mut copied = 0;
    // The newest first: retention removes the oldest, and so it leaves no gap.
    for (age, segment) in layout::segments(from).map_err(FileError::of(from))?.into_iter().rev().enumerate() {
        let is_written = age == 0 && !segment.is_compressed();
        let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
        if segment.is_compressed() && files::about(&segment.path).is_ok_and(|about| has(&name, about.len())) {
            continue;
        }
        let copy = if is_written { copy_lines } else { files::copy_of_others };
        // Since it was listed it may have been compressed.
        let found = copy_file_with(copy, &segment.path, to)?
            || (!segment.is_compressed() && copy_file(&layout::compressed(&segment.path), to)?);
        copied += usize::from(found);
    }
    files::sync_dir_of(&layout::tree_level(&to_tree, 0))
        .and_then(|()| files::sync_dir_of(&to_tree))
        .map_err(FileError::of(&to_tree))?;
    Ok(copied)
}

/// Copies a file into a directory. `false` if there is none: retention may have removed it meanwhile.
fn copy_file(from: &Path, to: &Path) -> Result<bool, FileError> {
    copy_file_with(files::copy_of_others, from, to)
}

fn copy_file_with(copy: fn(&Path, &Path) -> io::Result<()>, from: &Path, to: &Path) -> Result<bool, FileError> {
    match copy(from, &to.join(from.file_name().unwrap_or_default())) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && files::about(from).is_err() => Ok(false),
        Err(source) => Err(FileError { path: from.to_owned(), source }),
    }
}

/// Copies the newest segment, which may be being written, without the room behind its lines.
fn copy_lines(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, mut copy) = (files::open_of_others(from)?, files::create_new(to, 0o600)?);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = match source.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let read = block.get(..read).unwrap_or_default();
        let lines = memchr::memchr(0, read).and_then(|end| read.get(..end)).unwrap_or(read);
        copy.write_all(lines)?;
        if read.is_empty() || lines.len() < read.len() {
            return copy.sync_all();
        }
    }
}
