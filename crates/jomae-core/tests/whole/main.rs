//! The store as a whole: what is changed, removed or set back beside the service is found, and nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod common;
mod cuts;
mod nodes;
mod tamper;

use std::sync::Arc;

use jomae_core::store::{Committed, Path, Store, StoreError, memory::MemoryStore};
use jomae_core::whole::{LANES, WholeStore, record};
use jomae_sim::{
    block_on,
    faults::{CommitFault, FaultStore},
    model,
    store_suite::{self, commit, delete, done, everything, get, put},
};
use proptest::prelude::*;

use common::{begun, keyring, opened, sound};

#[test]
fn all_exercises() {
    store_suite::run_all(|exercise| {
        let whole = begun(Arc::new(MemoryStore::new()));
        exercise(&(Arc::clone(&whole) as Arc<dyn Store>));
        sound(&whole);
    });
}

#[test]
fn all_exercises_before_anything_is_kept() {
    store_suite::run_all(|exercise| {
        let inner = Arc::new(MemoryStore::new());
        let whole = WholeStore::open(inner.clone(), keyring(), None).unwrap();
        exercise(&(whole as Arc<dyn Store>));
        assert!(everything(&*inner).iter().all(|(path, _)| !record::is_own(path.as_str())));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_model_agrees_and_the_hash_is_of_what_is_there(commands in model::commands(40)) {
        let inner = Arc::new(MemoryStore::new());
        let reopen = |shared: Shared| {
            sound(&shared.0);
            let reopened = opened(inner.clone());
            sound(&reopened);
            assert_eq!(reopened.state(), shared.0.state());
            Shared(reopened)
        };
        model::check(Shared(begun(inner.clone())), reopen, &commands);
        sound(&opened(inner));
    }
}

/// A [`WholeStore`] by its reference, as the model takes a store by its value.
struct Shared(Arc<WholeStore>);

impl Store for Shared {
    fn get(&self, path: &str) -> Result<Option<jomae_core::store::Entry>, StoreError> {
        self.0.get(path)
    }
    fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Path, jomae_core::store::Entry)>, StoreError> {
        self.0.scan(prefix, after, limit)
    }
    fn commit(
        &self,
        commit: jomae_core::store::Commit,
    ) -> jomae_core::store::BoxFuture<'_, Result<Committed, StoreError>> {
        self.0.commit(commit)
    }
    fn revision(&self) -> Result<jomae_core::store::Revision, StoreError> {
        self.0.revision()
    }
    fn watch(&self, watcher: jomae_core::store::Watcher) {
        self.0.watch(watcher);
    }
    fn snapshot(&self) -> Result<jomae_core::store::Snapshot<'_>, StoreError> {
        self.0.snapshot()
    }
}

#[test]
fn nobody_sees_or_writes_what_is_kept_of_the_hash() {
    let inner = Arc::new(MemoryStore::new());
    let whole = begun(inner.clone());
    let rows: Vec<_> = ["a", "sys/whole", "sys/whole-other", "sys/x"].map(|path| put(path, "1")).into();
    done(&*whole, rows);
    let seen = |rows: &[(Path, _)]| rows.iter().map(|(path, _): &(Path, _)| path.to_string()).collect::<Vec<_>>();
    let all = ["a", "sys/whole", "sys/whole-other", "sys/x"];
    assert_eq!(seen(&everything(&*whole)), all);
    assert_eq!(seen(&whole.scan("", None, 500).unwrap()), all);
    for limit in 1..5 {
        assert_eq!(seen(&whole.scan("", None, limit).unwrap()), all[..limit.min(4)]);
    }
    assert_eq!(seen(&whole.scan("sys/wh", None, 1).unwrap()), ["sys/whole"]);
    assert_eq!(seen(&whole.scan("sys/whole/", None, 9).unwrap()), [""; 0]);
    assert_eq!(seen(&whole.scan("", Some("sys/whole/base"), 9).unwrap()), ["sys/x"]);
    assert_eq!(get(&*whole, record::base().as_str()), None);
    assert!(get(&*inner, record::base().as_str()).is_some());
    for write in [put("sys/whole/base", "x"), delete("sys/whole/lane/00")] {
        assert!(matches!(block_on(whole.commit(commit(&[], vec![write]))), Err(StoreError::Limit(_))));
    }
    let expecting = commit(&[("sys/whole/base", None)], vec![put("a", "2")]);
    assert!(matches!(block_on(whole.commit(expecting)), Err(StoreError::Limit(_))));
    sound(&whole);
}

#[test]
fn a_commit_of_unknown_outcome_confuses_nothing() {
    let inner = Arc::new(FaultStore::new(MemoryStore::new()));
    let whole = begun(inner.clone());
    for (nth, fault) in [CommitFault::UnknownWithEffect, CommitFault::UnknownWithoutEffect].into_iter().enumerate() {
        inner.script_commits([Some(fault)]);
        let write = put(&format!("unknown/{nth}"), "x");
        assert!(matches!(block_on(whole.commit(commit(&[], vec![write]))), Ok(Committed::Unknown)));
        let promised = whole.state().unwrap().changes;
        done(&*whole, vec![put("after", format!("{nth}"))]);
        sound(&whole);
        assert!(whole.state().unwrap().changes > promised);
        assert_eq!(opened(inner.clone()).state(), whole.state());
    }
    inner.script_commits([Some(CommitFault::Unavailable), Some(CommitFault::Conflict)]);
    let blind = || commit(&[], vec![put("blind", "x")]);
    assert!(matches!(block_on(whole.commit(blind())), Err(StoreError::Unavailable(_))));
    assert!(matches!(block_on(whole.commit(blind())), Ok(Committed::Conflict)), "one that nothing explains");
    assert!(matches!(block_on(whole.commit(blind())), Ok(Committed::Done(_))));
    sound(&whole);
}

/// Only the caller's own expectations make a conflict; that somebody else has used the lane, or written what is
/// written blindly, does not.
#[test]
fn who_expects_nothing_meets_no_conflict() {
    let inner = Arc::new(MemoryStore::new());
    let (one, former) = (begun(inner.clone()), opened(inner.clone()));
    for n in 0..10 {
        done(&*one, vec![put("shared", format!("one {n}"))]);
        done(&*former, vec![put("shared", format!("former {n}")), delete("absent")]);
    }
    let before = get(&*one, "shared").unwrap().revision;
    done(&*former, vec![put("shared", "changed")]);
    let stale = commit(&[("shared", Some(before))], vec![put("other", "x")]);
    assert!(matches!(block_on(one.commit(stale)), Ok(Committed::Conflict)));
    for store in [&one, &former] {
        assert!(crate::common::checked(store).is_ok());
    }
    assert_eq!(opened(inner).state().map(|state| state.changes), Some(21));
}

#[test]
fn as_many_lanes_as_commits_at_a_time_and_each_is_kept() {
    let inner = Arc::new(MemoryStore::new());
    let whole = begun(inner.clone());
    for n in 0..100 {
        done(&*whole, vec![put(&format!("r/{n}"), "x")]);
    }
    let lanes = || everything(&*inner).iter().filter(|(path, _)| record::of_lane(path.as_str()).is_some()).count();
    assert_eq!(lanes(), 1, "one after another they need one");
    std::thread::scope(|scope| {
        for thread in 0..2 * LANES {
            let whole = &whole;
            scope.spawn(move || {
                for n in 0..10 {
                    done(&**whole, vec![put(&format!("t/{thread}/{n}"), "x"), put("blind", format!("{thread}"))]);
                }
            });
        }
    });
    assert!(lanes() <= LANES);
    sound(&whole);
    assert_eq!(whole.state().map(|state| state.changes), Some(100 + 20 * LANES as u64));
}

#[test]
fn what_changes_nothing_counts_for_nothing() {
    let whole = begun(Arc::new(MemoryStore::new()));
    let revision = done(&*whole, vec![put("a", "1")]);
    let before = whole.state();
    assert_eq!(done(&*whole, vec![delete("absent"), delete("absent too")]), revision);
    assert!(matches!(block_on(whole.commit(commit(&[("a", Some(revision))], vec![]))), Ok(Committed::Done(_))));
    assert_eq!(whole.state(), before);
}
