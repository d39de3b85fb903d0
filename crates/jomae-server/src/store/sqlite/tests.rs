use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Mutex, mpsc},
    task::{Context, Poll, Waker},
    time::Duration,
};

use jomae_core::store::{Phase, Revision, VALUE_BYTES_MAX, Write};
use jomae_sim::{
    block_on, model,
    store_suite::{self, commit, delete, done, everything, get, put},
};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{check::check_file, *};
use crate::whole::tests::begun;

/// After this a test has failed, rather than being slow.
const HANG: Duration = Duration::from_mins(2);

pub(super) fn open(path: &FilePath) -> SqliteStore {
    SqliteStore::open(path, &Options::default()).expect("the store opens")
}

pub(super) fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("jomae.db");
    (directory, path)
}

#[test]
fn all_exercises() {
    store_suite::run_all(|exercise| {
        let (_directory, path) = directory();
        exercise(&(Arc::new(open(&path)) as Arc<dyn Store>));
    });
}

/// With the hash over all records, as the service uses it.
#[test]
fn all_exercises_as_a_whole() {
    store_suite::run_all(|exercise| {
        let (_directory, path) = directory();
        let whole = begun(Arc::new(open(&path)));
        exercise(&(Arc::clone(&whole) as Arc<dyn Store>));
        assert_eq!(whole.check(|_| true).expect("readable").expect("as it was written").state, whole.state());
    });
}

#[test]
fn all_exercises_with_one_reader_and_no_groups() {
    let options = Options { readers: 0, group_commits_max: 0, pages_max: None };
    store_suite::run_all(|exercise| {
        let (_directory, path) = directory();
        let store = SqliteStore::open(&path, &options).expect("the store opens");
        exercise(&(Arc::new(store) as Arc<dyn Store>));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_model_agrees(commands in model::commands(40)) {
        let (_directory, path) = directory();
        let reopen = |store: SqliteStore| {
            drop(store);
            open(&path)
        };
        model::check(open(&path), reopen, &commands);
        prop_assert_eq!(check_file(&path).expect("checked").problems, Vec::<String>::new());
    }
}

#[test]
fn reopening_keeps_everything_and_revisions_go_on() {
    let (_directory, path) = directory();
    let store = open(&path);
    for n in 0..100 {
        done(&store, vec![put(&format!("k/{n}"), vec![n; usize::from(n) * 300])]);
    }
    let last = done(&store, vec![delete("k/7")]);
    let before = everything(&store);
    drop(store);
    let store = open(&path);
    assert_eq!(everything(&store), before);
    assert!(done(&store, vec![put("k/7", "again")]) > last);
    let report = store.check().expect("checked");
    assert_eq!((report.records, report.problems), (100, vec![]));
}

/// Holds the writer inside a watcher until the returned sender is used or dropped.
pub(super) fn hold_the_writer(store: &SqliteStore) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let gate = Mutex::new(Some((entered, released)));
    store.watch(Box::new(move |phase, _| {
        if phase != Phase::Committed {
            return;
        }
        let held = gate.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((entered, released)) = held {
            entered.send(()).expect("the test waits");
            let _ = released.recv();
        }
    }));
    abandon(store, vec![put("gate", "x")]);
    inside.recv_timeout(HANG).expect("the watcher is told");
    release
}

fn abandon(store: &SqliteStore, writes: Vec<Write>) {
    let mut future = store.commit(commit(&[], writes));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn commits_that_wait_together_share_a_transaction() {
    let (_directory, path) = directory();
    let options = Options { group_commits_max: 100, ..Options::default() };
    let store = SqliteStore::open(&path, &options).expect("the store opens");
    let release = hold_the_writer(&store);
    let mut waiting: Vec<_> = (0..150)
        .map(|n| {
            // Every tenth wants to be the creator of the same path.
            let shared = if n % 10 == 0 { vec![("shared", None)] } else { vec![] };
            let mut writes = vec![put(&format!("k/{n}"), "x")];
            writes.extend(shared.iter().map(|(path, _)| put(path, "x")));
            store.commit(commit(&shared, writes))
        })
        .collect();
    for future in &mut waiting {
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(release);
    let outcomes: Vec<Committed> = waiting.into_iter().map(|future| block_on(future).expect("works")).collect();
    let conflicts = outcomes.iter().filter(|outcome| **outcome == Committed::Conflict).count();
    assert_eq!(conflicts, 14, "one of the 15 creators wins");
    assert!(outcomes.windows(2).all(|pair| match pair {
        [Committed::Done(one), Committed::Done(next)] => one < next,
        _ => true,
    }));
    assert_eq!(everything(&store).len(), 1 + 150 - 14 + 1, "a conflict in a group changes nothing");
    let stats = store.stats();
    assert_eq!(stats.transactions, 3, "one for the gate, one for 100 commits, one for 50");
    assert_eq!((stats.commits_done, stats.commits_conflicting, stats.commits_failed), (137, 14, 0));
}

#[test]
fn large_values_limit_a_group() {
    let (_directory, path) = directory();
    let store = open(&path);
    let release = hold_the_writer(&store);
    for n in 0..40 {
        abandon(&store, vec![put(&format!("k/{n}"), vec![n; VALUE_BYTES_MAX])]);
    }
    drop(release);
    done(&store, vec![put("last", "x")]);
    assert_eq!(store.stats().transactions, 3, "8 MiB fill one group, 2 MiB go to the next");
    assert_eq!(everything(&store).len(), 42);
}

#[test]
fn dropping_the_store_finishes_what_was_handed_over() {
    let (_directory, path) = directory();
    let store = open(&path);
    let release = hold_the_writer(&store);
    for n in 0..600 {
        abandon(&store, vec![put(&format!("k/{n}"), "x")]);
    }
    drop(release);
    drop(store);
    assert_eq!(everything(&open(&path)).len(), 601);
}

#[test]
fn the_last_reference_may_be_dropped_by_a_watcher() {
    let (_directory, path) = directory();
    let store = Arc::new(open(&path));
    let slot = Arc::new(Mutex::new(None));
    let (dropped, was_dropped) = mpsc::channel();
    let taken = Arc::clone(&slot);
    let (handed, was_handed) = mpsc::channel::<()>();
    let was_handed = Mutex::new(was_handed);
    store.watch(Box::new(move |phase, _| {
        if phase != Phase::Committed {
            return;
        }
        was_handed.lock().expect("not poisoned").recv().expect("the test hands its reference over");
        drop(taken.lock().expect("not poisoned").take());
        dropped.send(()).expect("the test waits");
    }));
    abandon(&store, vec![put("a", "x")]);
    *slot.lock().expect("not poisoned") = Some(store);
    handed.send(()).expect("the watcher waits");
    was_dropped.recv_timeout(HANG).expect("dropping does not hang");
}

#[test]
fn after_a_watcher_panics_nothing_more_is_written() {
    let (_directory, path) = directory();
    let store = open(&path);
    store.watch(Box::new(|phase, _| assert_ne!(phase, Phase::Committed, "a broken watcher")));
    let first = block_on(store.commit(commit(&[], vec![put("a", "x")])));
    assert!(matches!(first, Ok(Committed::Unknown)), "{first:?}");
    let second = block_on(store.commit(commit(&[], vec![put("b", "x")])));
    // Between the panic and the end of the thread the channel still takes a commit, which is then dropped unanswered.
    assert!(matches!(second, Err(StoreError::Unavailable(_)) | Ok(Committed::Unknown)), "{second:?}");
    assert!(get(&store, "a").is_some());
    assert_eq!(get(&store, "b"), None);
}

#[test]
fn a_full_store_says_so_and_works_again_when_there_is_space() {
    let (_directory, path) = directory();
    let options = Options { pages_max: Some(100), ..Options::default() };
    let store = SqliteStore::open(&path, &options).expect("the store opens");
    let large = |n: usize| commit(&[], vec![put(&format!("other/{n}"), "x"), put(&format!("k/{n}"), vec![7; 30_000])]);
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    store.watch(Box::new(move |phase, _| {
        *count.lock().expect("not poisoned") += usize::from(phase == Phase::Committed);
    }));
    let mut stored = 0;
    let error = loop {
        match block_on(store.commit(large(stored))) {
            Ok(Committed::Done(_)) => stored += 1,
            other => break other,
        }
    };
    assert!(matches!(error, Err(StoreError::Unavailable(_))), "{error:?}");
    assert!((5..20).contains(&stored), "{stored}");
    assert_eq!(everything(&store).len(), 2 * stored, "nothing of the failed commit is there");
    assert_eq!(*heard.lock().expect("not poisoned"), stored, "nobody hears that it was done");
    for _ in 0..3 {
        assert!(matches!(block_on(store.commit(large(stored))), Err(StoreError::Unavailable(_))));
    }
    assert_eq!(store.stats().commits_failed, 4);
    // A small one may still fit; what must work is making room.
    done(&store, vec![delete("k/0"), delete("k/1")]);
    assert!(matches!(block_on(store.commit(large(stored))), Ok(Committed::Done(Revision(_)))));
    let before = everything(&store);
    drop(store);
    assert_eq!(everything(&open(&path)), before);
}

#[test]
fn a_snapshot_does_not_hold_up_reads_writes_or_the_drop() {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path, &Options { readers: 1, ..Options::default() }).expect("the store opens");
    for n in 0..200 {
        done(&store, vec![put(&format!("k/{n:03}"), "old")]);
    }
    let mut rows = store.snapshot().expect("begins");
    assert!(rows.next().is_some());
    let mut other = store.snapshot().expect("begins");
    for n in 0..200 {
        done(&store, vec![put(&format!("k/{n:03}"), "new")]);
        assert_eq!(get(&store, &format!("k/{n:03}")).expect("present").value, b"new");
    }
    assert!(other.all(|row| row.expect("readable").1.value == b"old"));
    assert_eq!(rows.count(), 199);
}

#[test]
fn a_commit_that_is_never_polled_does_not_happen() {
    let (_directory, path) = directory();
    let store = open(&path);
    drop(store.commit(commit(&[], vec![put("a", "x")])));
    done(&store, vec![put("b", "x")]);
    assert_eq!(get(&store, "a"), None);
    let mut future = store.commit(commit(&[], vec![put("", "x")]));
    let refused = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(refused, Poll::Ready(Err(StoreError::Limit(_)))), "the limits are checked before the queue");
}
