//! What every store must do, as exercises that panic where it does not.
//!
//! A backend's own tests open a fresh, empty store for each of [`EXERCISES`] and run it. Tests of reopening, full disks
//! and damage belong to the backend; what random commands find is in [`crate::model`].

use std::sync::Arc;

use jomae_core::store::{Commit, Committed, Entry, Path, Revision, Store, Write};

use crate::block_on;

mod commits;
mod concurrency;
mod limits;
mod reads;
pub(crate) mod watchers;

pub use concurrency::{check_accounts, open_accounts, run_transfers};

/// Takes a fresh, empty store and panics if it misbehaves.
pub type Exercise = fn(&Arc<dyn Store>);

/// Every exercise, with a name for the test's output.
pub const EXERCISES: &[(&str, Exercise)] = &[
    ("an empty store has nothing", reads::empty),
    ("get returns what was put", reads::get_after_put),
    ("a scan is in byte order", reads::scan_order),
    ("a scan's prefix is bytes, not segments", reads::scan_prefix),
    ("a scan continues after any path", reads::scan_after),
    ("a scan returns at most its limit", reads::scan_limit),
    ("a snapshot keeps its moment", reads::snapshot_moment),
    ("the exact limits are accepted", limits::exact),
    ("one over a limit is refused and changes nothing", limits::over),
    ("every expectation counts", commits::expectations),
    ("an expectation sees the entry before the commit", commits::expectation_of_own_write),
    ("revisions grow", commits::revisions),
    ("deleting what is absent is no error", commits::deletion),
    ("a commit without writes only compares", commits::compare_only),
    ("watchers hear the right kinds in order", watchers::kinds),
    ("watchers hear before a commit can be read, and again before its answer", watchers::moment),
    ("whoever reads a commit finds that it was told of", watchers::told_first),
    ("watchers hear of commits that nobody waits for", watchers::abandoned),
    ("watchers hear many writers in order of revision", watchers::many_writers),
    ("counters lose no update", concurrency::counters),
    ("transfers keep the sum in every snapshot", concurrency::transfers),
    ("one of many creators wins", concurrency::creators),
];

/// Runs every exercise, each on a store of its own.
pub fn run_all(mut fresh: impl FnMut(&mut dyn FnMut(&Arc<dyn Store>))) {
    for (name, exercise) in EXERCISES {
        let mut ran = false;
        println!("exercise: {name}");
        fresh(&mut |store| {
            exercise(store);
            ran = true;
        });
        assert!(ran, "no store was given to {name:?}");
    }
}

/// `Write::Put`, from borrowed parts.
pub fn put(path: &str, value: impl AsRef<[u8]>) -> Write {
    Write::Put(Path::new(path), value.as_ref().to_vec())
}

/// `Write::Delete`, from a borrowed path.
pub fn delete(path: &str) -> Write {
    Write::Delete(Path::new(path))
}

/// A commit that compares and writes.
pub fn commit(expect: &[(&str, Option<Revision>)], writes: Vec<Write>) -> Commit {
    Commit { expect: expect.iter().map(|(path, revision)| (Path::new(*path), *revision)).collect(), writes }
}

/// Commits writes without expectations, and insists on success.
pub fn done(store: &dyn Store, writes: Vec<Write>) -> Revision {
    match block_on(store.commit(commit(&[], writes))) {
        Ok(Committed::Done(revision)) => revision,
        other => panic!("the commit was not done: {other:?}"),
    }
}

/// The entry at a path, which must be readable.
pub fn get(store: &dyn Store, path: &str) -> Option<Entry> {
    store.get(path).expect("get works")
}

/// Every record of one snapshot.
pub fn everything(store: &dyn Store) -> Vec<(Path, Entry)> {
    store.snapshot().expect("snapshot works").map(|row| row.expect("a readable record")).collect()
}

fn paths(entries: &[(Path, Entry)]) -> Vec<&str> {
    entries.iter().map(|(path, _)| path.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jomae_core::store::memory::MemoryStore;

    #[test]
    fn the_memory_store_does_all_exercises() {
        run_all(|exercise| exercise(&(Arc::new(MemoryStore::new()) as Arc<dyn Store>)));
    }

    #[test]
    fn a_fault_wrapper_without_faults_does_all_exercises() {
        let wrapped = || crate::faults::FaultStore::new(MemoryStore::new());
        run_all(|exercise| exercise(&(Arc::new(wrapped()) as Arc<dyn Store>)));
    }
}
