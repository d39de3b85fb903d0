//! The records in memory, and whoever wants to hear of their changes. One thread applies what the watch brings.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard},
};

use jomae_core::store::{Change, ChangeKind, Entry, Path, Phase, Revision, SCAN_LIMIT_MAX, StoreError, Watcher};
use tokio::sync::{mpsc, watch};

/// What the watch brings.
pub(super) enum Update {
    /// What one revision of etcd changed, in order; `None`: deleted.
    Changed { revision: u64, writes: Vec<(Path, Option<Vec<u8>>)> },
    /// Everything as it was at one moment, which is not before the replica's.
    Whole(Records),
}

/// All records of one moment.
pub(super) struct Records {
    pub(super) entries: BTreeMap<Path, Entry>,
    /// Of the newest commit that changed a record.
    pub(super) revision: u64,
    /// The moment itself, in etcd's count, which goes on for other reasons too.
    pub(super) moment: u64,
}

pub(super) struct Replica {
    records: RwLock<Records>,
    /// Held for reading through a whole change, so that a watcher hears of all its phases or of none.
    watchers: RwLock<Vec<Watcher>>,
    /// The revision whose watchers have all returned.
    applied: watch::Sender<u64>,
    /// Why no more changes come. Nothing mends it but opening the store again.
    failed: OnceLock<String>,
}

impl Replica {
    pub(super) fn new(records: Records) -> Self {
        let applied = watch::Sender::new(records.revision);
        Self { records: RwLock::new(records), watchers: RwLock::default(), applied, failed: OnceLock::new() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Records> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, path: &str) -> Option<Entry> {
        self.read().entries.get(path).cloned()
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.read().entries.contains_key(path)
    }

    pub(super) fn hold(&self, expect: &[(Path, Option<Revision>)]) -> bool {
        let records = self.read();
        expect.iter().all(|(path, revision)| records.entries.get(path).map(|entry| entry.revision) == *revision)
    }

    pub(super) fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<(Path, Entry)> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let records = self.read();
        let found = records.entries.range::<str, _>((start, Bound::Unbounded));
        found
            .take_while(|(path, _)| path.as_str().starts_with(prefix))
            .take(limit.min(SCAN_LIMIT_MAX))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect()
    }

    pub(super) fn revision(&self) -> u64 {
        self.read().revision
    }

    /// Entries, and the bytes of their paths and values.
    pub(super) fn size(&self) -> (usize, usize) {
        let records = self.read();
        let bytes = records.entries.iter().map(|(path, entry)| path.as_str().len() + entry.value.len()).sum();
        (records.entries.len(), bytes)
    }

    pub(super) fn watch(&self, watcher: Watcher) {
        self.watchers.write().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }

    /// To wait until a revision is applied.
    pub(super) fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    pub(super) fn fail(&self, why: impl Into<String>) {
        let why = why.into();
        tracing::error!(why, "the store takes no more changes; it must be opened again");
        let _ = self.failed.set(why);
    }

    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }

    /// An error once the replica has failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.failed().map_or(Ok(()), |why| Err(StoreError::Damaged(why.to_owned())))
    }

    /// The work of the applying thread: until nothing more can come.
    pub(super) fn run(&self, mut updates: mpsc::Receiver<Update>) {
        let watched = Unwinding(self);
        while let Some(update) = updates.blocking_recv() {
            self.apply(update);
        }
        drop(watched);
    }

    pub(super) fn apply(&self, update: Update) {
        let change = match &update {
            Update::Changed { revision, .. } if *revision <= self.revision() => return,
            Update::Changed { revision, writes } => self.changed(*revision, writes),
            Update::Whole(whole) => self.difference(whole),
        };
        let watchers = self.watchers.read().unwrap_or_else(PoisonError::into_inner);
        let tell = |phase| {
            if !change.writes.is_empty() {
                watchers.iter().for_each(|watcher| watcher(phase, &change));
            }
        };
        tell(Phase::Prepared);
        let old = self.swap(update, change.revision.0);
        tell(Phase::Committed);
        self.applied.send_replace(change.revision.0);
        // Freeing many records takes a while; nobody needs to wait for it.
        drop(old);
    }

    /// Returns what was replaced.
    fn swap(&self, update: Update, revision: u64) -> Option<BTreeMap<Path, Entry>> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        records.revision = revision;
        match update {
            Update::Changed { writes, .. } => {
                for (path, value) in writes {
                    match value {
                        Some(value) => records.entries.insert(path, Entry { value, revision: Revision(revision) }),
                        None => records.entries.remove(&path),
                    };
                }
                None
            }
            Update::Whole(whole) => Some(std::mem::replace(&mut records.entries, whole.entries)),
        }
    }

    fn changed(&self, revision: u64, writes: &[(Path, Option<Vec<u8>>)]) -> Change {
        let records = self.read();
        let kind = |path: &Path, value: &Option<Vec<u8>>| match (value, records.entries.contains_key(path)) {
            (Some(_), true) => Some(ChangeKind::Updated),
            (Some(_), false) => Some(ChangeKind::Created),
            (None, true) => Some(ChangeKind::Deleted),
            (None, false) => None,
        };
        let told = writes.iter().filter_map(|(path, value)| Some((path.clone(), kind(path, value)?)));
        Change { revision: Revision(revision), writes: told.collect() }
    }

    /// What became different while nobody looked, in path order.
    fn difference(&self, whole: &Records) -> Change {
        let records = self.read();
        let gone = records.entries.keys().filter(|path| !whole.entries.contains_key(*path));
        let mut writes: Vec<_> = gone.map(|path| (path.clone(), ChangeKind::Deleted)).collect();
        for (path, entry) in &whole.entries {
            match records.entries.get(path) {
                None => writes.push((path.clone(), ChangeKind::Created)),
                Some(before) if before.revision != entry.revision => writes.push((path.clone(), ChangeKind::Updated)),
                Some(_) => {}
            }
        }
        writes.sort_by(|(one, _), (other, _)| one.cmp(other));
        let revision = if writes.is_empty() || whole.revision > records.revision {
            whole.revision.max(records.revision)
        } else {
            // Somebody changed records by hand, without the head.
            whole.moment
        };
        Change { revision: Revision(revision), writes }
    }
}

/// Notices that a watcher has panicked, and with it the thread.
struct Unwinding<'a>(&'a Replica);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("a watcher of the store has panicked");
        }
    }
}
