//! The reference store: a sorted map in memory. Its behaviour is the definition that other stores are compared with.
//! Nothing survives the process.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    BoxFuture, Change, ChangeKind, Commit, Committed, Entry, Path, Revision, SCAN_LIMIT_MAX, Snapshot, Store,
    StoreError, Watcher, Write,
};

/// A store without a disk: for tests, for models, and for a server that is to forget everything.
#[derive(Default)]
pub struct MemoryStore {
    records: Mutex<Records>,
    // Held through a whole commit, so that watchers hear in order and may read meanwhile.
    watchers: Mutex<Vec<Watcher>>,
}

#[derive(Default)]
struct Records {
    entries: BTreeMap<Path, Entry>,
    revision: u64,
}

impl MemoryStore {
    /// An empty store at revision 0.
    pub fn new() -> Self {
        Self::default()
    }

    fn commit_now(&self, commit: Commit) -> Result<Committed, StoreError> {
        commit.check_limits()?;
        let watchers = locked(&self.watchers);
        let change = {
            let mut records = locked(&self.records);
            if !records.hold(&commit.expect) {
                return Ok(Committed::Conflict);
            }
            records.apply(commit.writes)
        };
        if !change.writes.is_empty() {
            for watcher in watchers.iter() {
                watcher(&change);
            }
        }
        Ok(Committed::Done(change.revision))
    }
}

impl Records {
    fn hold(&self, expect: &[(Path, Option<Revision>)]) -> bool {
        expect.iter().all(|(path, revision)| self.entries.get(path).map(|entry| entry.revision) == *revision)
    }

    fn apply(&mut self, writes: Vec<Write>) -> Change {
        let revision = Revision(self.revision + 1);
        let mut told = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Put(path, value) => {
                    let before = self.entries.insert(path.clone(), Entry { value, revision });
                    told.push((path, if before.is_some() { ChangeKind::Updated } else { ChangeKind::Created }));
                }
                Write::Delete(path) => {
                    if self.entries.remove(&path).is_some() {
                        told.push((path, ChangeKind::Deleted));
                    }
                }
            }
        }
        if !told.is_empty() {
            self.revision = revision.0;
        }
        Change { revision: Revision(self.revision), writes: told }
    }
}

impl Store for MemoryStore {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        Ok(locked(&self.records).entries.get(path).cloned())
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let records = locked(&self.records);
        let found = records.entries.range::<str, _>((start, Bound::Unbounded));
        Ok(found
            .take_while(|(path, _)| path.as_str().starts_with(prefix))
            .take(limit.min(SCAN_LIMIT_MAX))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect())
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move { self.commit_now(commit) })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(Revision(locked(&self.records).revision))
    }

    fn watch(&self, watcher: Watcher) {
        locked(&self.watchers).push(watcher);
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let entries = locked(&self.records).entries.clone();
        Ok(Box::new(entries.into_iter().map(Ok)))
    }
}

/// A panic of one watcher or caller must not stop the others: no step leaves the map half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
