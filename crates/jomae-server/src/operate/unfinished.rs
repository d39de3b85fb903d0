//! A data directory that is being restored says so, until everything is in it: what a restore has left that was killed is
//! neither served nor overwritten.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::files;

/// Stands in the data directory while it is being restored, locked by whoever does it.
const MARK: &str = "restore.unfinished";
const HEAD: &str = "This directory is being restored, and is not complete as long as this file is here.\n";
/// Before the path of a key file outside that the restore has made.
const MADE: &str = "made: ";
/// Longest mark, in bytes.
const MARK_BYTES_MAX: usize = 8 * 1024;

/// Why a directory is no data directory yet; one line.
#[derive(Debug, thiserror::Error)]
pub enum UnfinishedError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("a restore into {} is under way", .0.display())]
    UnderWay(PathBuf),
    #[error(
        "{} is what a restore has left that was cut off, and is not complete; nothing was overwritten. Remove it{}, and run the \
         restore again", dir.display(),
        .made.as_ref().map_or_else(String::new, |path| format!(", and {}, a key file that it has made and that opens nothing", path.display()))
    )]
    CutOff { dir: PathBuf, made: Option<PathBuf> },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> UnfinishedError {
    let path = path.to_owned();
    move |source| UnfinishedError::Io { path, source }
}

/// Whether a directory is no unfinished one.
pub(crate) fn refuse(dir: &Path) -> Result<(), UnfinishedError> {
    let path = dir.join(MARK);
    let mark = match files::open(&path) {
        Ok(mark) => mark,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(&path)(error)),
    };
    match mark.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(UnfinishedError::UnderWay(dir.to_owned())),
        Err(TryLockError::Error(error)) => return Err(io_error(&path)(error)),
    }
    let text = files::read_limited(&path, MARK_BYTES_MAX).map_err(io_error(&path))?;
    let made = std::str::from_utf8(&text).ok().and_then(|text| text.lines().find_map(|line| line.strip_prefix(MADE)));
    Err(UnfinishedError::CutOff { dir: dir.to_owned(), made: made.map(PathBuf::from) })
}

/// A restore that is under way.
pub(crate) struct Unfinished {
    dir: PathBuf,
    mark: File,
}

impl Unfinished {
    /// Begins one in a directory that is empty or not there.
    pub(crate) fn begin(dir: &Path) -> Result<Self, UnfinishedError> {
        files::make_dir(dir).map_err(io_error(dir))?;
        let path = dir.join(MARK);
        let begin = || {
            let mut mark = files::create_new(&path, 0o600)?;
            mark.try_lock().map_err(io::Error::from)?;
            mark.write_all(HEAD.as_bytes())?;
            mark.sync_all()?;
            files::sync_dir_of(&path)?;
            Ok(mark)
        };
        let mark = begin().map_err(io_error(&path))?;
        Ok(Self { dir: dir.to_owned(), mark })
    }

    /// Notes that a key file is about to be made. One in the directory itself goes with it.
    pub(crate) fn makes(&self, key_file: &Path) -> io::Result<()> {
        let path = std::path::absolute(key_file)?;
        if path.starts_with(std::path::absolute(&self.dir)?) {
            return Ok(());
        }
        let mut mark = &self.mark;
        writeln!(mark, "{MADE}{}", path.display())?;
        self.mark.sync_all()
    }

    /// Everything is there.
    pub(crate) fn end(self) -> Result<(), UnfinishedError> {
        let path = self.dir.join(MARK);
        fs::remove_file(&path).and_then(|()| files::sync_dir_of(&path)).map_err(io_error(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_refused_until_the_restore_has_ended() {
        let place = tempfile::tempdir().unwrap();
        let (dir, key) = (place.path().join("data"), place.path().join("root.key"));
        assert!(refuse(&dir).is_ok());
        let restore = Unfinished::begin(&dir).unwrap();
        assert!(matches!(refuse(&dir), Err(UnfinishedError::UnderWay(_))));
        assert!(Unfinished::begin(&dir).is_err(), "of two at the same time one begins");
        restore.makes(&dir.join("root.key")).unwrap();
        drop(restore);
        assert!(matches!(refuse(&dir), Err(UnfinishedError::CutOff { made: None, .. })));
        fs::remove_dir_all(&dir).unwrap();

        let restore = Unfinished::begin(&dir).unwrap();
        restore.makes(&key).unwrap();
        drop(restore);
        let told = refuse(&dir).unwrap_err().to_string();
        assert!(told.contains(key.to_str().unwrap()) && told.contains("Remove it, and "), "{told}");
        fs::write(dir.join(MARK), vec![b'x'; MARK_BYTES_MAX + 1]).unwrap();
        assert!(matches!(refuse(&dir), Err(UnfinishedError::Io { .. })));
        fs::remove_dir_all(&dir).unwrap();

        Unfinished::begin(&dir).unwrap().end().unwrap();
        assert!(refuse(&dir).is_ok());
    }
}
