//! The one thread that writes. Commits that wait while a transaction is being synced share the next one.

use std::cell::Cell;
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
    mpsc::Receiver,
};

use jomae_core::store::{Change, ChangeKind, Commit, Committed, Path, Phase, Revision, StoreError, Watcher, Write};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ffi};
use tokio::sync::oneshot;

use super::{file::Lock, rows, schema};

/// Bytes of values after which a group is full.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(super) type Answer = Result<Committed, StoreError>;

/// A commit within the limits, and where its answer goes.
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What the writer did since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits answered with `Done`.
    pub commits_done: u64,
    /// Commits answered with `Conflict`.
    pub commits_conflicting: u64,
    /// Commits answered with `Unknown` or an error.
    pub commits_failed: u64,
    /// SQLite transactions that were synced; fewer than commits when callers wait together.
    pub transactions: u64,
}

/// What the writer shares with the callers' threads.
#[derive(Default)]
pub(super) struct Shared {
    watchers: RwLock<Vec<Watcher>>,
    done: AtomicU64,
    conflicting: AtomicU64,
    failed: AtomicU64,
    transactions: AtomicU64,
}

impl Shared {
    pub(super) fn watch(&self, watcher: Watcher) {
        self.watchers.write().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commits_done: self.done.load(Ordering::Relaxed),
            commits_conflicting: self.conflicting.load(Ordering::Relaxed),
            commits_failed: self.failed.load(Ordering::Relaxed),
            transactions: self.transactions.load(Ordering::Relaxed),
        }
    }
}

/// Why no commit of a group was done.
enum Failure {
    /// Nothing was changed.
    Unavailable(String),
    /// Nothing was changed.
    Damaged(String),
    /// The transaction may come back when the file is next opened after a crash.
    Unknown(String),
}

impl Failure {
    fn answer(&self) -> Answer {
        match self {
            Self::Unavailable(why) => Err(StoreError::Unavailable(why.clone())),
            Self::Damaged(why) => Err(StoreError::Damaged(why.clone())),
            Self::Unknown(_) => Ok(Committed::Unknown),
        }
    }
}

/// Before COMMIT, every error leaves a transaction that is rolled back.
impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        // No write of ours can break a rule of our own tables.
        if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
            return Self::Damaged(error.to_string());
        }
        rows::read_failed(&error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(why) => Self::Damaged(why),
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::Limit(what) => Self::Unavailable(what.to_owned()),
        }
    }
}

/// What one transaction did: an outcome for each of its commits, in order, and what watchers are to hear.
struct Group {
    revision: i64,
    outcomes: Vec<Committed>,
    changes: Vec<Change>,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    // As SQLite's integers are: never negative here.
    pub(super) revision: i64,
    /// Of the schema that was compared last.
    pub(super) schema_version: Cell<i64>,
    pub(super) group_commits_max: usize,
    pub(super) shared: Arc<Shared>,
    // Declared last, so dropped last: the connection is closed before the file is unlocked.
    pub(super) _lock: Arc<Lock>,
}

impl Writer {
    /// Writes until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        let mut jobs = Vec::new();
        while let Ok(first) = queue.recv() {
            gather(&mut jobs, first, queue, self.group_commits_max);
            self.finish(&mut jobs);
        }
    }

    fn finish(&mut self, jobs: &mut Vec<Job>) {
        match self.write(jobs) {
            Ok(group) => {
                self.revision = group.revision;
                for (job, outcome) in jobs.drain(..).zip(group.outcomes) {
                    let counter =
                        if outcome == Committed::Conflict { &self.shared.conflicting } else { &self.shared.done };
                    counter.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens if the caller has gone; the commit stands all the same.
                    let _ = job.answer.send(Ok(outcome));
                }
            }
            Err(failure) => {
                let (Failure::Unavailable(why) | Failure::Damaged(why) | Failure::Unknown(why)) = &failure;
                tracing::error!(commits = jobs.len(), why, "the store cannot write");
                for job in jobs.drain(..) {
                    self.shared.failed.fetch_add(1, Ordering::Relaxed);
                    let _ = job.answer.send(failure.answer());
                }
            }
        }
    }

    /// All jobs in one transaction. After an error nothing is changed, or the outcome is `Unknown`.
    fn write(&self, jobs: &[Job]) -> Result<Group, Failure> {
        self.roll_back()?;
        self.run_sql("BEGIN IMMEDIATE")?;
        let applied = self.check_schema().and_then(|()| self.apply(jobs));
        match applied {
            Ok(group) if !group.changes.is_empty() => {
                // Held throughout: a watcher hears of all phases of a commit or of none.
                let watchers = self.shared.watchers.read().unwrap_or_else(PoisonError::into_inner);
                tell(&watchers, Phase::Prepared, &group.changes);
                let committed = self.commit();
                let ended = if committed.is_ok() { Phase::Committed } else { Phase::Aborted };
                tell(&watchers, ended, &group.changes);
                committed.map(|()| group)
            }
            Ok(group) => self.roll_back().map(|()| group).map_err(Failure::from),
            Err(failure) => {
                // Should this not work either, the next group tries again before it begins; nothing was committed.
                let _ = self.roll_back();
                Err(failure)
            }
        }
    }

    fn commit(&self) -> Result<(), Failure> {
        if let Err(error) = self.run_sql("COMMIT") {
            let failure = commit_failed(&error);
            return Err(if self.roll_back().is_ok() { failure } else { Failure::Unknown(error.to_string()) });
        }
        self.shared.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Another process can have changed the schema since. What it left is compared again, so that a harmless rewrite
    /// (VACUUM) and a trigger that was taken away stop nothing.
    fn check_schema(&self) -> Result<(), Failure> {
        let version = schema::version(&self.connection)?;
        if version != self.schema_version.get() {
            schema::compare(&self.connection).map_err(StoreError::from)?;
            self.schema_version.set(version);
        }
        Ok(())
    }

    fn apply(&self, jobs: &[Job]) -> Result<Group, Failure> {
        let mut group =
            Group { revision: self.revision, outcomes: Vec::with_capacity(jobs.len()), changes: Vec::new() };
        for job in jobs {
            if !self.expectations_hold(&job.commit)? {
                group.outcomes.push(Committed::Conflict);
                continue;
            }
            let revision = group.revision + 1;
            let mut changed = Vec::with_capacity(job.commit.writes.len());
            for write in &job.commit.writes {
                if let Some(kind) = self.apply_write(write, revision)? {
                    changed.push((write.path().clone(), kind));
                }
            }
            if !changed.is_empty() {
                group.revision = revision;
                group.changes.push(Change { revision: Revision(revision.unsigned_abs()), writes: changed });
            }
            group.outcomes.push(Committed::Done(Revision(group.revision.unsigned_abs())));
        }
        if !group.changes.is_empty() {
            let sql = "UPDATE meta SET number = ?1 WHERE name = 'revision'";
            if self.connection.prepare_cached(sql)?.execute([group.revision])? != 1 {
                return Err(Failure::Damaged("the store's revision could not be raised".to_owned()));
            }
        }
        Ok(group)
    }

    fn expectations_hold(&self, commit: &Commit) -> Result<bool, Failure> {
        for (path, expected) in &commit.expect {
            if self.revision_of(path)? != expected.map(|revision| revision.0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn revision_of(&self, path: &Path) -> Result<Option<u64>, Failure> {
        let mut statement = self.connection.prepare_cached("SELECT revision FROM records WHERE path = ?1")?;
        let revision: Option<i64> = statement.query_row([path.as_str()], |row| row.get(0)).optional()?;
        let damaged = |_| Failure::Damaged(format!("the revision of the record \"{path}\" is negative"));
        revision.map(u64::try_from).transpose().map_err(damaged)
    }

    /// What the write did to the path's existence; `None` if there was nothing to delete. A statement that touched
    /// no row although it had one to touch is damage: it must not be answered as done.
    fn apply_write(&self, write: &Write, revision: i64) -> Result<Option<ChangeKind>, Failure> {
        match write {
            Write::Put(path, value) => {
                let row = (path.as_str(), revision, value.as_slice());
                let sql = "UPDATE records SET revision = ?2, value = ?3 WHERE path = ?1";
                if self.connection.prepare_cached(sql)?.execute(row)? > 0 {
                    return Ok(Some(ChangeKind::Updated));
                }
                let sql = "INSERT INTO records (path, revision, value) VALUES (?1, ?2, ?3)";
                match self.connection.prepare_cached(sql)?.execute(row)? {
                    1 => Ok(Some(ChangeKind::Created)),
                    _ => Err(not_written(path)),
                }
            }
            Write::Delete(path) => {
                let sql = "DELETE FROM records WHERE path = ?1";
                let deleted = self.connection.prepare_cached(sql)?.execute([path.as_str()])?;
                if deleted > 0 {
                    return Ok(Some(ChangeKind::Deleted));
                }
                if self.revision_of(path)?.is_some() { Err(not_written(path)) } else { Ok(None) }
            }
        }
    }

    fn roll_back(&self) -> Result<(), rusqlite::Error> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run_sql("ROLLBACK") }
    }

    fn run_sql(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}

fn tell(watchers: &[Watcher], phase: Phase, changes: &[Change]) {
    for change in changes {
        for watcher in watchers {
            watcher(phase, change);
        }
    }
}

fn not_written(path: &Path) -> Failure {
    Failure::Damaged(format!("a change of the record \"{path}\" touched no row"))
}

/// The first job and those that wait behind it, as many as fit.
fn gather(jobs: &mut Vec<Job>, first: Job, queue: &Receiver<Job>, group_commits_max: usize) {
    let mut bytes = value_bytes(&first.commit);
    jobs.push(first);
    while jobs.len() < group_commits_max && bytes < GROUP_BYTES_MAX {
        let Ok(job) = queue.try_recv() else { break };
        bytes += value_bytes(&job.commit);
        jobs.push(job);
    }
}

fn value_bytes(commit: &Commit) -> usize {
    commit.writes.iter().map(|write| if let Write::Put(_, value) = write { value.len() } else { 0 }).sum()
}

/// Which failures of COMMIT are known to have left no complete transaction in the write-ahead log. A write that
/// failed has; after a failed sync the transaction may lie there whole, and be found after a crash, until the next
/// transaction overwrites it.
fn commit_failed(error: &rusqlite::Error) -> Failure {
    let why = error.to_string();
    match error.sqlite_error() {
        Some(ffi::Error { code: ErrorCode::DatabaseBusy | ErrorCode::DiskFull | ErrorCode::OutOfMemory, .. }) => {
            Failure::Unavailable(why)
        }
        Some(ffi::Error { extended_code: ffi::SQLITE_IOERR_WRITE, .. }) => Failure::Unavailable(why),
        _ => Failure::Unknown(why),
    }
}
