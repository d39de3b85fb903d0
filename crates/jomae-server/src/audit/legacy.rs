//! Logs from before there was a tree: files `00000001.jsonl`, `00000002.jsonl` and so on.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::segments::{self, Measured, OpenSegment};
use crate::files;

/// The files of an old log, oldest first.
pub(super) fn old_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut numbered = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(number) = segments::number_in_name(&path, 8) {
            numbered.push((number, path));
        }
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

/// Whether the directory has files of the old form.
pub fn is_old(dir: &Path) -> io::Result<bool> {
    Ok(!old_files(dir)?.is_empty())
}

/// Gives the files of an old log their names by counted lines, oldest first; gives how many. What a crash in between
/// has left is finished by the next call.
pub(super) fn take_over(dir: &Path) -> io::Result<usize> {
    let old = old_files(dir)?;
    let mut next = 0;
    for segment in segments::list(dir)? {
        next = segment.first + segments::measure(&segment.path)?.events;
    }
    for (at, path) in old.iter().enumerate() {
        let Measured { events, torn_bytes, .. } = segments::measure(path)?;
        let to = segments::path(dir, next);
        if files::about(&to).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there already", to.display())));
        }
        fs::rename(path, &to)?;
        if torn_bytes > 0 {
            // Sets the torn line aside, so that the next file does not continue it.
            OpenSegment::open(dir, next)?;
        }
        if events == 0 && at + 1 < old.len() {
            // The next one gets the same name.
            fs::remove_file(&to)?;
        }
        next += events;
    }
    if !old.is_empty() {
        files::sync_dir_of(&dir.join("tree"))?;
        tracing::info!(files = old.len(), events = next, "the audit log of an earlier version was taken over");
    }
    Ok(old.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<(u64, String)> {
        let read = |segment: &segments::Segment| (segment.first, fs::read_to_string(&segment.path).unwrap());
        segments::list(dir).unwrap().iter().map(read).collect()
    }

    #[test]
    fn files_are_named_by_their_first_event() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in
            [("00000003", "a\nb\n"), ("00000004", ""), ("00000005", "c\n"), ("00000010", "d\ne\ntorn")]
        {
            fs::write(dir.path().join(format!("{name}.jsonl")), content).unwrap();
        }
        assert!(is_old(dir.path()).unwrap());
        assert_eq!(take_over(dir.path()).unwrap(), 4);
        let expected = [(0, "a\nb\n".to_owned()), (2, "c\n".to_owned()), (3, "d\ne\n".to_owned())];
        assert_eq!(names(dir.path()), expected);
        assert!(!is_old(dir.path()).unwrap());
        assert_eq!(fs::read(dir.path().join("00000000000000000003.torn-at-4")).unwrap(), b"torn");
        assert_eq!(take_over(dir.path()).unwrap(), 0);
        assert_eq!(names(dir.path()), expected);
    }

    #[test]
    fn a_takeover_that_a_crash_broke_off_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(segments::path(dir.path(), 0), "a\nb\n").unwrap();
        fs::write(dir.path().join("00000002.jsonl"), "c\n").unwrap();
        fs::write(dir.path().join("00000003.jsonl"), "").unwrap();
        take_over(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [(0, "a\nb\n".to_owned()), (2, "c\n".to_owned()), (3, String::new())]);
    }
}
