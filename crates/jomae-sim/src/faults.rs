//! A store that fails on request, for tests of what is built on a store.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use jomae_core::store::{BoxFuture, Commit, Committed, Entry, Path, Revision, Snapshot, Store, StoreError, Watcher};

/// How a commit goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is done; the answer is an error.
    Unavailable,
    /// Nothing is done; the answer is `Conflict`, as if another writer had been faster.
    Conflict,
    /// Nothing is done; the answer is `Unknown`.
    UnknownWithoutEffect,
    /// The commit is done and watchers are told; the answer is `Unknown` all the same.
    UnknownWithEffect,
}

/// How a read (`get`, `scan` or `snapshot`) goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    Unavailable,
    Damaged,
}

/// Passes everything on to the store inside, except what a script says. Each scripted fault is used once, in order;
/// `None` lets one call pass. After the script's end everything passes.
pub struct FaultStore<S> {
    inner: S,
    commit_script: Mutex<VecDeque<Option<CommitFault>>>,
    read_script: Mutex<VecDeque<Option<ReadFault>>>,
    down: AtomicBool,
    commits: AtomicU64,
    reads: AtomicU64,
}

impl<S: Store> FaultStore<S> {
    /// Without a fault until one is scripted.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            commit_script: Mutex::default(),
            read_script: Mutex::default(),
            down: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        }
    }

    /// The store inside, which never fails on request.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Adds to the script of commits.
    pub fn script_commits(&self, faults: impl IntoIterator<Item = Option<CommitFault>>) {
        locked(&self.commit_script).extend(faults);
    }

    /// Adds to the script of reads.
    pub fn script_reads(&self, faults: impl IntoIterator<Item = Option<ReadFault>>) {
        locked(&self.read_script).extend(faults);
    }

    /// While down, every call answers `Unavailable` and uses up nothing of the scripts.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Commits asked for so far, with and without a fault.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// Reads asked for so far, with and without a fault.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    fn before_read(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        match locked(&self.read_script).pop_front().flatten() {
            None => Ok(()),
            Some(ReadFault::Unavailable) => Err(unavailable()),
            Some(ReadFault::Damaged) => Err(StoreError::Damaged("by request of a test".to_owned())),
        }
    }
}

impl<S: Store> Store for FaultStore<S> {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        self.before_read()?;
        self.inner.get(path)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        self.before_read()?;
        self.inner.scan(prefix, after, limit)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.commits.fetch_add(1, Ordering::SeqCst);
            if self.down.load(Ordering::SeqCst) {
                return Err(unavailable());
            }
            let fault = locked(&self.commit_script).pop_front().flatten();
            match fault {
                None => self.inner.commit(commit).await,
                Some(CommitFault::Unavailable) => Err(unavailable()),
                Some(CommitFault::Conflict) => Ok(Committed::Conflict),
                Some(CommitFault::UnknownWithoutEffect) => Ok(Committed::Unknown),
                // A conflict or an error of the store inside is hidden too: the caller hears nothing but the time-out.
                Some(CommitFault::UnknownWithEffect) => {
                    let _hidden = self.inner.commit(commit).await;
                    Ok(Committed::Unknown)
                }
            }
        })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.inner.revision()
    }

    fn watch(&self, watcher: Watcher) {
        self.inner.watch(watcher);
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        self.before_read()?;
        self.inner.snapshot()
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("by request of a test".to_owned())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use jomae_core::store::{Write, memory::MemoryStore};

    fn put(store: &dyn Store, path: &str) -> Result<Committed, StoreError> {
        let writes = vec![Write::Put(Path::new(path), b"value".to_vec())];
        block_on(store.commit(Commit { expect: vec![], writes }))
    }

    #[test]
    fn each_scripted_fault_happens_once_and_in_order() {
        let store = FaultStore::new(MemoryStore::new());
        store.script_commits([
            None,
            Some(CommitFault::Unavailable),
            Some(CommitFault::Conflict),
            Some(CommitFault::UnknownWithoutEffect),
            Some(CommitFault::UnknownWithEffect),
        ]);
        assert!(matches!(put(&store, "1"), Ok(Committed::Done(_))));
        assert!(matches!(put(&store, "2"), Err(StoreError::Unavailable(_))));
        assert!(matches!(put(&store, "3"), Ok(Committed::Conflict)));
        assert!(matches!(put(&store, "4"), Ok(Committed::Unknown)));
        assert!(matches!(put(&store, "5"), Ok(Committed::Unknown)));
        assert!(matches!(put(&store, "6"), Ok(Committed::Done(_))));
        let present: Vec<String> =
            store.scan("", None, 9).expect("readable").iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(present, ["1", "5", "6"]);
        assert_eq!((store.commits(), store.reads()), (6, 1));
    }

    #[test]
    fn reads_fail_by_script_and_everything_fails_while_down() {
        let store = FaultStore::new(MemoryStore::new());
        store.script_reads([Some(ReadFault::Damaged), None, Some(ReadFault::Unavailable)]);
        assert!(matches!(store.get("a"), Err(StoreError::Damaged(_))));
        assert!(store.scan("", None, 1).is_ok());
        store.set_down(true);
        assert!(matches!(store.get("a"), Err(StoreError::Unavailable(_))));
        assert!(matches!(put(&store, "a"), Err(StoreError::Unavailable(_))));
        store.set_down(false);
        assert!(matches!(store.snapshot().map(Iterator::count), Err(StoreError::Unavailable(_))));
        assert!(matches!(put(&store, "a"), Ok(Committed::Done(_))));
        assert!(store.inner().get("a").expect("readable").is_some());
    }
}
