//! Opening and creating the file, and refusing every file that is not ours.

use std::{
    fs::{File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    rows,
    schema::{self, Mismatch},
};
use crate::files;

/// "Joma" in ASCII, in the SQLite header's field for the program that owns the file.
pub(super) const APPLICATION_ID: i32 = 0x4A6F_6D61;
/// In the header's field `user_version`. A store that this program cannot read has a greater one.
pub(super) const SCHEMA_VERSION: i32 = 1;

/// Permissions of every file made here: sealed records, but nobody else's business.
pub(super) const FILE_MODE: u32 = 0o600;

const WRITER_CACHE_KIB: i32 = 16 * 1024;
const READER_CACHE_KIB: i32 = 4 * 1024;
/// The write-ahead log is cut to this after it grew beyond, e.g. during a long backup.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// How to open a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Connections for reading, so reads at one time; at least 1.
    pub readers: usize,
    /// Most commits in one transaction; at least 1.
    pub group_commits_max: usize,
    /// Size at which the file counts as full, in pages of 4096 bytes. `None`: when the disk is.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self { readers: cores.clamp(2, 16), group_commits_max: 256, pages_max: None }
    }
}

/// Why a file cannot be used as a store. Each text is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: another process has this store open", .0.display())]
    Locked(PathBuf),
    #[error("{}: not a SQLite file; it was left as it is", .0.display())]
    NotADatabase(PathBuf),
    #[error("{}: a SQLite file of another program (application id {application_id:#x}); it was left as it is", path.display())]
    Foreign { path: PathBuf, application_id: i32 },
    #[error("{}: written by a newer version (schema {found}, this one knows {SCHEMA_VERSION}); it was left as it is", path.display())]
    Newer { path: PathBuf, found: i32 },
    #[error("{}: can be read only; check its owner and mode, and whether the file system is mounted for writing", .0.display())]
    ReadOnly(PathBuf),
    #[error("{}: its schema is not what this program makes: {differences}; find out who changed it, and restore a backup; it was left as it is", path.display())]
    Schema { path: PathBuf, differences: String },
    #[error("{}: damaged: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("{}: {detail}", path.display())]
    Sqlite { path: PathBuf, detail: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl OpenError {
    pub(super) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        // SQLite quotes names out of the file.
        let (path, detail) = (path.to_owned(), error.to_string().escape_debug().to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, detail },
            _ => Self::Sqlite { path, detail },
        }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// The locked file beside the store. Unlocked explicitly, because a process that is just being started may share the
/// handle for a moment after it was closed here.
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // If this fails, the system unlocks when the last handle is closed.
        let _ = self.0.unlock();
    }
}

pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) lock: Lock,
    pub(super) writer: Connection,
    /// Of the schema that was compared.
    pub(super) schema_version: i64,
    pub(super) readers: Vec<Connection>,
    pub(super) revision: i64,
}

pub(super) fn open(path: &Path, options: &Options) -> Result<Opened, OpenError> {
    let path = resolved(path)?;
    let lock = lock(&path)?;
    create_if_absent(&path)?;
    check_header(&path)?;
    let (writer, schema_version) = open_writer(&path, options)?;
    let readers = (0..options.readers.max(1)).map(|_| open_reader(&path)).collect::<Result<Vec<_>, _>>()?;
    let revision = identify(&path, &writer)?;
    Ok(Opened { path, lock, writer, schema_version, readers, revision })
}

/// The same text for the same file, so that the lock beside it is the same too. It starts with `/`, so SQLite cannot
/// take it for a URI. The directory may be a link; the file, and what SQLite keeps beside it, must not.
fn resolved(path: &Path) -> Result<PathBuf, OpenError> {
    let Some(name) = path.file_name() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file");
        return Err(OpenError::Io { path: path.to_owned(), source });
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = directory.canonicalize().map_err(OpenError::io(directory))?.join(name);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let file = with_suffix(&found, suffix);
        files::is_file(&file).map_err(OpenError::io(&file))?;
    }
    Ok(found)
}

/// Locks the file beside the store. The system lets go of it when a process dies.
pub fn lock(path: &Path) -> Result<Lock, OpenError> {
    let lock_path = with_suffix(path, ".lock");
    let lock = files::open_to_write(&lock_path).map_err(OpenError::io(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path: lock_path, source }),
    }
}

fn create_if_absent(path: &Path) -> Result<(), OpenError> {
    match files::create_new(path, FILE_MODE) {
        Ok(_) => sync_directory(path).map_err(OpenError::io(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::Io { path: path.to_owned(), source }),
    }
}

/// Looks at the file before SQLite may touch it. An empty one is new, or was left by a crash right after its creation.
///
/// Only for a file that is locked and not yet open: closing a second handle in a process drops the locks that SQLite
/// holds on the first.
fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut header = Vec::new();
    let read = files::open(path).and_then(|file| file.take(100).read_to_end(&mut header));
    if read.map_err(OpenError::io(path))? == 0 {
        return Ok(());
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
    match (number(68), number(60)) {
        (Some(application_id), Some(user_version)) if header.starts_with(b"SQLite format 3\0") => {
            check_identity(path, application_id, user_version)
        }
        _ => Err(OpenError::NotADatabase(path.to_owned())),
    }
}

fn check_identity(path: &Path, application_id: i32, user_version: i32) -> Result<(), OpenError> {
    let path = path.to_owned();
    if application_id != APPLICATION_ID {
        return Err(OpenError::Foreign { path, application_id });
    }
    if user_version > SCHEMA_VERSION {
        return Err(OpenError::Newer { path, found: user_version });
    }
    if user_version < SCHEMA_VERSION {
        return Err(OpenError::Damaged { path, detail: format!("there never was a schema {user_version}") });
    }
    Ok(())
}

/// Checks through SQLite, which also knows the write-ahead log, that the file is a store with our schema and no other,
/// and reads its revision.
pub(super) fn identify(path: &Path, connection: &Connection) -> Result<i64, OpenError> {
    let failed = |error| OpenError::from_sqlite(path, &error);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    check_identity(path, number("application_id").map_err(failed)?, number("user_version").map_err(failed)?)?;
    compare_schema(path, connection)?;
    let revision = rows::store_revision(connection);
    let damaged = |detail: String| OpenError::Damaged { path: path.to_owned(), detail };
    match revision {
        Ok(revision) if revision >= 0 => Ok(revision),
        Ok(_) => Err(damaged("the store's revision is negative".to_owned())),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::Unknown) | None => Err(damaged(error.to_string())),
            Some(_) => Err(OpenError::from_sqlite(path, &error)),
        },
    }
}

fn compare_schema(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    schema::compare(connection).map_err(|mismatch| match mismatch {
        Mismatch::Different(differences) => OpenError::Schema { path: path.to_owned(), differences },
        Mismatch::Sqlite(error) => OpenError::from_sqlite(path, &error),
    })
}

/// The connection that writes, and the version of its schema.
fn open_writer(path: &Path, options: &Options) -> Result<(Connection, i64), OpenError> {
    let failed = |error| OpenError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(OpenError::ReadOnly(path.to_owned()));
    }
    schema::disarm(&connection).map_err(failed)?;
    create_schema_if_empty(&connection).map_err(failed)?;
    // The number first: a change in between is then noticed by the first commit.
    let schema_version = schema::version(&connection).map_err(failed)?;
    compare_schema(path, &connection)?;
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    if mode.map_err(failed)? != "wal" {
        let detail = "this file system cannot hold a write-ahead log".to_owned();
        return Err(OpenError::Sqlite { path: path.to_owned(), detail });
    }
    set_up_writer(&connection, options).map_err(failed)?;
    Ok((connection, schema_version))
}

fn create_schema_if_empty(connection: &Connection) -> rusqlite::Result<()> {
    if connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? > 0 {
        return Ok(());
    }
    // In one transaction and before the write-ahead log exists: whatever has a first page also names us in it.
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {} COMMIT;",
        schema::statements()
    ))
}

fn set_up_writer(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten, as far as SQLite can: copies stay in the log until it is reused.
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))?;
    if let Some(pages) = options.pages_max {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

/// A connection that can only read. What it reads may have been written by anyone.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        schema::disarm(&connection)?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| OpenError::from_sqlite(path, &error))
}

/// Opens a file for reading that may be in use by a server, and checks that it is a store.
pub(super) fn open_existing(path: &Path) -> Result<(Connection, i64), OpenError> {
    let path = resolved(path)?;
    if !files::is_file(&path).map_err(OpenError::io(&path))? {
        return Err(OpenError::Io { path, source: io::ErrorKind::NotFound.into() });
    }
    let connection = open_reader(&path)?;
    let revision = identify(&path, &connection)?;
    Ok((connection, revision))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the creation or renaming of a file durable.
pub(super) fn sync_directory(of: &Path) -> io::Result<()> {
    files::sync_dir_of(of)
}
