//! The reference store: a sorted map in memory. Its behaviour is the definition that other stores are compared with.
//! Nothing survives the process.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    BoxFuture, Change, ChangeKind, Commit, Committed, Entry, Path, Phase, Revision, SCAN_LIMIT_MAX, Snapshot, Store,
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
        let tell = |phase, change: &Change| watchers.iter().for_each(|watcher| watcher(phase, change));
        let change = {
            let records = locked(&self.records);
            if !records.hold(&commit.expect) {
                return Ok(Committed::Conflict);
            }
            records.change(&commit.writes)
        };
        if !change.writes.is_empty() {
            tell(Phase::Prepared, &change);
            locked(&self.records).apply(commit.writes, change.revision);
            tell(Phase::Committed, &change);
        }
        Ok(Committed::Done(change.revision))
    }
}

impl Records {
    fn hold(&self, expect: &[(Path, Option<Revision>)]) -> bool {
        expect.iter().all(|(path, revision)| self.entries.get(path).map(|entry| entry.revision) == *revision)
    }

    /// What the writes will change.
    fn change(&self, writes: &[Write]) -> Change {
        let kind = |write: &Write| match (write, self.entries.contains_key(write.path())) {
            (Write::Put(..), true) => Some(ChangeKind::Updated),
            (Write::Put(..), false) => Some(ChangeKind::Created),
            (Write::Delete(_), true) => Some(ChangeKind::Deleted),
            (Write::Delete(_), false) => None,
        };
        let writes: Vec<_> =
            writes.iter().filter_map(|write| kind(write).map(|kind| (write.path().clone(), kind))).collect();
        Change { revision: Revision(self.revision + u64::from(!writes.is_empty())), writes }
    }

    fn apply(&mut self, writes: Vec<Write>, revision: Revision) {
        self.revision = revision.0;
        for write in writes {
            match write {
                Write::Put(path, value) => self.entries.insert(path, Entry { value, revision }),
                Write::Delete(path) => self.entries.remove(&path),
            };
        }
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
