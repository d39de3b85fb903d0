use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use jomae_core::store::{Change, ChangeKind, Committed, Path, Phase, Store};

use super::{commit, delete, done, get, put};
use crate::block_on;

type Heard = Arc<Mutex<Vec<Change>>>;

/// Registers a watcher that keeps what it hears of commits that were done.
pub(crate) fn listen(store: &dyn Store) -> Heard {
    listen_for(store, Phase::Committed)
}

fn listen_for(store: &dyn Store, awaited: Phase) -> Heard {
    let heard = Heard::default();
    let keep = Arc::clone(&heard);
    store.watch(Box::new(move |phase, change| {
        if phase == awaited {
            keep.lock().unwrap_or_else(PoisonError::into_inner).push(change.clone());
        }
    }));
    heard
}

/// Takes what was heard so far.
pub(crate) fn take(heard: &Heard) -> Vec<Change> {
    std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn kinds(store: &Arc<dyn Store>) {
    let store = &**store;
    done(store, vec![put("before", "x")]);
    let (first, second) = (listen(store), listen(store));
    let (prepared, aborted) = (listen_for(store, Phase::Prepared), listen_for(store, Phase::Aborted));
    let created = done(store, vec![put("b", "1"), put("a", "1")]);
    let mixed = done(store, vec![delete("a"), put("c", "1"), delete("absent"), put("b", "1")]);
    done(store, vec![delete("absent")]);
    let conflict = block_on(store.commit(commit(&[("b", None)], vec![put("b", "2")])));
    assert!(matches!(conflict, Ok(Committed::Conflict)));
    let again = done(store, vec![put("a", "2"), put("before", "y")]);

    let told = |path: &str, kind| (Path::new(path), kind);
    let expected = [
        Change { revision: created, writes: vec![told("b", ChangeKind::Created), told("a", ChangeKind::Created)] },
        Change {
            revision: mixed,
            writes: vec![
                told("a", ChangeKind::Deleted),
                told("c", ChangeKind::Created),
                told("b", ChangeKind::Updated),
            ],
        },
        Change { revision: again, writes: vec![told("a", ChangeKind::Created), told("before", ChangeKind::Updated)] },
    ];
    assert_eq!(take(&first), expected);
    assert_eq!(take(&second), expected, "every watcher hears everything");
    assert_eq!(take(&prepared), expected, "and heard it before");
    assert_eq!(take(&aborted), []);
}

pub(super) fn moment(store: &Arc<dyn Store>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (reader, keep) = (Arc::downgrade(store), Arc::clone(&seen));
    store.watch(Box::new(move |phase, change| {
        let read = || reader.upgrade().and_then(|store| get(&*store, "a")).map(|entry| entry.value);
        // What is so on this thread is so on any other.
        let here = read();
        let there = thread::scope(|scope| scope.spawn(read).join().expect("the reader ends"));
        assert_eq!(here, there);
        keep.lock().expect("not poisoned").push((phase, change.revision, here));
    }));
    let mut before = None;
    for n in 0..20_u8 {
        let revision = done(&**store, vec![put("a", [n])]);
        let told = std::mem::take(&mut *seen.lock().expect("not poisoned"));
        let now = Some(vec![n]);
        let expected = [(Phase::Prepared, revision, before), (Phase::Committed, revision, now.clone())];
        assert_eq!(told, expected, "told before it can be read, and again before the answer");
        before = now;
    }
}

/// Whoever reads a commit finds that it was told of: on every thread, at every moment.
pub(super) fn told_first(store: &Arc<dyn Store>) {
    let store = &**store;
    // An empty store need not begin at 0.
    let told = Arc::new(AtomicU64::new(store.revision().expect("revision works").0));
    let telling = Arc::clone(&told);
    store.watch(Box::new(move |phase, change| {
        if phase == Phase::Prepared {
            telling.store(change.revision.0, Ordering::SeqCst);
        }
    }));
    let running = AtomicBool::new(true);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while running.load(Ordering::SeqCst) {
                    let read = store.revision().expect("revision works").0;
                    assert!(told.load(Ordering::SeqCst) >= read, "commit {read} can be read and was not told of");
                    let read = get(store, "a").map_or(0, |entry| entry.revision.0);
                    assert!(told.load(Ordering::SeqCst) >= read, "record {read} can be read and was not told of");
                }
            });
        }
        for n in 0..200_u8 {
            done(store, vec![put("a", [n]), put("b", [n])]);
        }
        running.store(false, Ordering::SeqCst);
    });
}

pub(super) fn abandoned(store: &Arc<dyn Store>) {
    let store = &**store;
    let heard = listen(store);
    for n in 0..10 {
        let mut future = store.commit(commit(&[], vec![put(&format!("abandoned/{n}"), "x")]));
        // Asked for once, so that it is on its way; then the caller goes away.
        let _whatever = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(future);
    }
    done(store, vec![put("last", "x")]);
    let abandoned: Vec<String> = (0..10).map(|n| format!("abandoned/{n}")).collect();
    // Nothing says in which order commits happen that are on their way together.
    let until = Instant::now() + Duration::from_secs(10);
    while !abandoned.iter().all(|path| get(store, path).is_some()) {
        assert!(Instant::now() < until, "a polled commit happens");
        thread::sleep(Duration::from_millis(5));
    }
    // The last watcher call may still be under way; a commit afterwards is told after it.
    done(store, vec![put("last", "x")]);
    let mut told: Vec<String> =
        take(&heard).iter().flat_map(|change| &change.writes).map(|(path, _)| path.to_string()).collect();
    told.sort_unstable();
    let mut expected = abandoned;
    expected.extend(["last".to_owned(), "last".to_owned()]);
    assert_eq!(told, expected);
}

pub(super) fn many_writers(store: &Arc<dyn Store>) {
    let store = &**store;
    let heard = listen(store);
    let mut answered: Vec<u64> = thread::scope(|scope| {
        let writer = |thread: usize| {
            let revision = move |n| done(store, vec![put(&format!("{thread}/{n}"), "x")]).0;
            move || (0..20).map(revision).collect::<Vec<u64>>()
        };
        let writers: Vec<_> = (0..6).map(|thread| scope.spawn(writer(thread))).collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("the writer ends")).collect()
    });
    answered.sort_unstable();
    let told = take(&heard);
    let revisions: Vec<u64> = told.iter().map(|change| change.revision.0).collect();
    assert_eq!(revisions, answered, "each answered commit is told once, in order of revision");
    for change in &told {
        for (path, _) in &change.writes {
            assert_eq!(get(store, path.as_str()).expect("present").revision, change.revision);
        }
    }
}
