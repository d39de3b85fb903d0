//! The embedded store: one SQLite file (bundled, write-ahead log, `synchronous=FULL`).
//!
//! One connection writes, on a thread of its own that puts waiting commits into one transaction. Reads run on the
//! caller's thread, each on one of a few read-only connections.

use std::{
    cell::Cell,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use jomae_core::store::{
    BoxFuture, Commit, Committed, Entry, Path, Revision, SCAN_LIMIT_MAX, Snapshot, Store, StoreError, Watcher,
};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::oneshot;

pub mod backup;
pub mod check;
pub mod file;
mod rows;
mod schema;
pub mod writer;

#[cfg(test)]
mod disaster_tests;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use backup::{Backup, BackupError};
use check::CheckReport;
use file::{Lock, OpenError, Options};
use writer::{Job, Shared, Stats, Writer};

/// A [`Store`] in one SQLite file. Dropping it finishes the commits that were handed over and closes the file.
pub struct SqliteStore {
    path: PathBuf,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    // Held as long as anything here or the writer is: nobody else may open the file before.
    _lock: Arc<Lock>,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, and creates it (mode 0600) if there is none. The work does not grow with
    /// the number of records. Beside the file lie `PATH-wal`, `PATH-shm` and `PATH.lock`.
    ///
    /// # Errors
    /// Each says in one line what is wrong. A file that is not a store of this version or an older one is left as it is.
    pub fn open(path: &std::path::Path, options: &Options) -> Result<Self, OpenError> {
        let opened = file::open(path, options)?;
        let shared = Arc::new(Shared::default());
        let (jobs, queue) = mpsc::channel();
        let lock = Arc::new(opened.lock);
        let writer = Writer {
            connection: opened.writer,
            revision: opened.revision,
            schema_version: Cell::new(opened.schema_version),
            group_commits_max: options.group_commits_max,
            shared: Arc::clone(&shared),
            _lock: Arc::clone(&lock),
        };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&queue))
            .map_err(|source| OpenError::Io { path: opened.path.clone(), source })?;
        Ok(Self {
            path: opened.path,
            readers: opened.readers.into_iter().map(Mutex::new).collect(),
            next_reader: AtomicUsize::new(0),
            shared,
            jobs: Some(jobs),
            writer: Some(thread),
            _lock: lock,
        })
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// What the writer did since the store was opened.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Copies one moment of the store to the new file `dest` (mode 0600, synced) while reads and commits go on. The
    /// write-ahead log cannot be emptied meanwhile, so it grows by what is committed.
    pub fn backup_to(&self, dest: &std::path::Path) -> Result<Backup, BackupError> {
        backup::backup_file(&self.path, dest)
    }

    /// Reads everything and compares it with SQLite's own rules and this store's. Takes time in proportion to the file.
    pub fn check(&self) -> Result<CheckReport, OpenError> {
        check::check_file(&self.path)
    }

    /// A read-only connection that nobody uses; if there is none, waits for one of them.
    fn reader(&self) -> Result<MutexGuard<'_, Connection>, StoreError> {
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(connection) => return Ok(connection),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed).checked_rem(self.readers.len());
        let reader = turn.and_then(|turn| self.readers.get(turn));
        let reader = reader.ok_or_else(|| StoreError::Unavailable("there is no connection to read with".to_owned()))?;
        Ok(reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hand_over(&self, commit: Commit) -> Result<oneshot::Receiver<writer::Answer>, StoreError> {
        commit.check_limits()?;
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job { commit, answer }).is_ok());
        if sent { Ok(answered) } else { Err(StoreError::Unavailable("the writing thread has stopped".to_owned())) }
    }
}

impl Store for SqliteStore {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        let reader = self.reader()?;
        let mut statement = reader
            .prepare_cached("SELECT revision, value FROM records WHERE path = ?1")
            .map_err(|error| rows::read_failed(&error))?;
        let entry = statement.query_row([path], |row| Ok(rows::entry(row, path.as_bytes())));
        entry.optional().map_err(|error| rows::read_failed(&error))?.transpose()
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        rows::scan(&*self.reader()?, prefix, after, limit.min(SCAN_LIMIT_MAX))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            // The writer drops a job unanswered only by dying on the way, perhaps after the transaction.
            self.hand_over(commit)?.await.unwrap_or(Ok(Committed::Unknown))
        })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        let revision = rows::store_revision(&*self.reader()?).map_err(|error| rows::read_failed(&error))?;
        u64::try_from(revision)
            .map(Revision)
            .map_err(|_| StoreError::Damaged("the store's revision is negative".to_owned()))
    }

    fn watch(&self, watcher: Watcher) {
        self.shared.watch(watcher);
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let connection = file::open_reader(&self.path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Box::new(rows::SnapshotRows::begin(connection)?))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // SQLite empties the write-ahead log when the last connection closes, which must be the one that may write.
        self.readers.clear();
        self.jobs = None;
        // A watcher may hold the last reference: then this is the writer's thread, which cannot wait for itself.
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer thread panicked");
        }
    }
}
