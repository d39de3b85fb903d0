//! Copies of a store that is in use.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jomae_core::{
    root::{self, Slots},
    store::Revision,
};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _,
    backup::{Backup as PageCopy, StepResult},
};

use super::{
    file::{self, OpenError},
    schema,
};
use crate::files;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The moment that the copy shows.
    pub revision: Revision,
    /// Size of the copy.
    pub bytes: u64,
}

/// Why there is no copy. What was begun has been removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{}: exists already; it was left as it is", .0.display())]
    Exists(PathBuf),
    #[error("{0}")]
    Source(#[from] OpenError),
    #[error("{}: the copy failed: {detail}", path.display())]
    Copy { path: PathBuf, detail: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Copies one moment of the store in the file `source` to the new file `dest` (mode 0600, synced). Works from any
/// process, whether or not a server has the store open; commits go on meanwhile, and the write-ahead log grows by them.
pub fn backup_file(source: &Path, dest: &Path) -> Result<Backup, BackupError> {
    let (source, _) = file::open_existing(source)?;
    // An empty file holds the name while the copy grows beside it, so nothing that looks like a backup is incomplete.
    let name = NewFile::create(dest.to_owned())?;
    let partial = NewFile::create(file::with_suffix(dest, ".partial"))?;
    let revision = copy_pages(&source, &partial.path)?;
    let io_failed = |source| BackupError::Io { path: dest.to_owned(), source };
    let copy = files::open(&partial.path).map_err(io_failed)?;
    copy.sync_all().map_err(io_failed)?;
    let bytes = copy.metadata().map_err(io_failed)?.len();
    fs::rename(&partial.path, dest).map_err(io_failed)?;
    partial.keep();
    file::sync_directory(dest).map_err(io_failed)?;
    name.keep();
    Ok(Backup { revision, bytes })
}

/// The slots of the root key in a copy that nobody has open. Leaves nothing beside it.
pub fn slots_of_copy(path: &Path) -> Result<Option<Slots>, BackupError> {
    let failed = |detail: String| BackupError::Copy { path: path.to_owned(), detail };
    files::open_of_others(path).map_err(|source| BackupError::Io { path: path.to_owned(), source })?;
    let absolute = path.canonicalize().map_err(|source| BackupError::Io { path: path.to_owned(), source })?;
    let plain = absolute.to_str().ok_or_else(|| failed("its path is not text".to_owned()))?;
    let escaped = plain.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |error: rusqlite::Error| failed(error.to_string().escape_debug().to_string());
    let copy = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(sqlite)?;
    schema::compare(&copy).map_err(|mismatch| failed(jomae_core::store::StoreError::from(mismatch).to_string()))?;
    let found = copy.query_row("SELECT value FROM records WHERE path = ?1", [root::PATH], |row| row.get(0));
    let value: Option<Vec<u8>> = found.optional().map_err(sqlite)?;
    value.map(|value| Slots::from_bytes(&value).map_err(|error| failed(error.to_string()))).transpose()
}

fn copy_pages(source: &Connection, dest: &Path) -> Result<Revision, BackupError> {
    let failed = |error: rusqlite::Error| BackupError::Copy { path: dest.to_owned(), detail: error.to_string() };
    // The copy is of this transaction's moment. Without one SQLite starts anew whenever someone commits.
    source.execute_batch("BEGIN").map_err(failed)?;
    // Of this moment too: somebody may have changed it since the file was opened.
    schema::compare(source).map_err(|mismatch| {
        let detail = jomae_core::store::StoreError::from(mismatch).to_string();
        BackupError::Copy { path: dest.to_owned(), detail }
    })?;
    let revision = super::rows::store_revision(source).map_err(failed)?;
    // An absolute path cannot be taken for a URI.
    let absolute = dest.canonicalize().map_err(|source| BackupError::Io { path: dest.to_owned(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(absolute, flags).map_err(failed)?;
    // The whole file is synced at the end, and thrown away if that is not reached.
    copy.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(())).map_err(failed)?;
    copy.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    let step = PageCopy::new(source, &mut copy).and_then(|pages| pages.step(-1)).map_err(failed)?;
    if step != StepResult::Done {
        let detail = format!("SQLite stopped with {step:?}");
        return Err(BackupError::Copy { path: dest.to_owned(), detail });
    }
    copy.close().map_err(|(_, error)| failed(error))?;
    Ok(Revision(revision.unsigned_abs()))
}

/// A file that this process has created, removed again unless it is kept.
struct NewFile {
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    fn create(path: PathBuf) -> Result<Self, BackupError> {
        match files::create_new(&path, file::FILE_MODE) {
            Ok(_) => Ok(Self { path, kept: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists(path)),
            Err(source) => Err(BackupError::Io { path, source }),
        }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // The error that led here is reported; that the rest stays behind is visible by its name.
            let _ = fs::remove_file(&self.path);
        }
    }
}
