use std::sync::{Mutex, atomic::AtomicUsize};

use jomae_core::store::{Change, ChangeKind, Phase, VALUE_BYTES_MAX, Write};
use jomae_etcd::proto::{RangeRequest, RangeResponse};
use jomae_sim::{
    block_on,
    etcd::Etcd,
    model,
    proxy::Proxy,
    store_suite::{self, commit, delete, done, everything, get, put},
};
use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::whole::tests::begun;

/// After this a test has failed, rather than being slow.
const HANG: Duration = Duration::from_secs(30);

pub(super) fn fresh(etcd: &Etcd) -> EtcdOptions {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    EtcdOptions { prefix, ..EtcdOptions::new(etcd.endpoints()) }
}

pub(super) fn open(options: &EtcdOptions) -> EtcdStore {
    EtcdStore::open(options).expect("the store opens")
}

pub(super) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn try_put(store: &EtcdStore, path: &str, value: &str) -> Result<Committed, StoreError> {
    block_on(store.commit(commit(&[], vec![put(path, value)])))
}

/// The same store, through a proxy.
fn through(proxy: &Proxy, options: &EtcdOptions) -> EtcdOptions {
    EtcdOptions { endpoints: vec![format!("http://127.0.0.1:{}", proxy.port())], ..options.clone() }
}

/// Everything under the prefix, past the store.
fn raw(store: &EtcdStore) -> RangeResponse {
    let (key, range_end) = store.inner.keys.all();
    let client = store.inner.client.clone();
    let request = RangeRequest { key, range_end, ..RangeRequest::default() };
    store.handle.block_on(async move { client.range(request).await }).expect("readable")
}

/// With the hash over all records, as the service uses it.
#[test]
fn all_exercises_as_a_whole() {
    let etcd = Etcd::start();
    store_suite::run_all(|exercise| {
        let whole = begun(Arc::new(open(&fresh(&etcd))));
        exercise(&(Arc::clone(&whole) as Arc<dyn Store>));
        // Commits that nobody waited for are known to the next one, if etcd has answered them by then: records come sooner.
        eventually("the store is as this process knows it", || {
            done(&*whole, vec![put("next", "x")]);
            whole.check(|_| true).expect("readable").expect("as it was written").state == whole.state()
        });
    });
}

#[test]
fn all_exercises() {
    let etcd = Etcd::start();
    store_suite::run_all(|exercise| {
        exercise(&(Arc::new(open(&fresh(&etcd))) as Arc<dyn Store>));
    });
}

#[test]
fn the_model_agrees() {
    let etcd = Etcd::start();
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) });
    let checked = runner.run(&model::commands(40), |commands| {
        let options = fresh(&etcd);
        let reopen = |store: EtcdStore| {
            drop(store);
            open(&options)
        };
        model::check(open(&options), reopen, &commands);
        Ok(())
    });
    checked.expect("the model agrees");
}

#[test]
fn after_confirm_two_stores_see_the_same() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    let (one, other) = (open(&options), open(&options));
    assert_eq!(one.id(), other.id());
    for n in 0..50_u32 {
        let revision = done(&one, vec![put("shared", n.to_string()), put(&format!("one/{n}"), "x")]);
        block_on(other.confirm()).expect("confirmed");
        assert_eq!(get(&other, "shared").expect("present").revision, revision, "round {n}");
        let answer = block_on(other.commit(commit(&[("shared", Some(revision))], vec![put("shared", "y")])));
        assert!(matches!(answer, Ok(Committed::Done(_))), "{answer:?}");
        // Who meets a conflict sees at once what it was with.
        let answer = block_on(one.commit(commit(&[("shared", Some(revision))], vec![put("shared", "z")])));
        assert!(matches!(answer, Ok(Committed::Conflict)), "{answer:?}");
        assert_eq!(get(&one, "shared").expect("present").value, b"y");
    }
    // Deletions of what the other has made or removed meanwhile.
    done(&one, vec![put("late", "x")]);
    done(&other, vec![delete("late")]);
    block_on(one.confirm()).expect("confirmed");
    assert_eq!(get(&one, "late"), None);
    done(&one, vec![delete("late")]);
    // Keys of others raise etcd's revision, and confirming does not wait for them.
    etcd.control(&["put", "elsewhere", "x"]);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| block_on(one.confirm()).expect("confirmed"));
        }
    });
    let before = everything(&one);
    assert_eq!(everything(&other), before);
    drop((one, other));
    let reopened = open(&options);
    assert_eq!(everything(&reopened), before);
    let left: Vec<_> = raw(&reopened).kvs.into_iter().filter(|kv| kv.key.starts_with(b"c/")).collect();
    assert!(left.is_empty(), "a store that was closed leaves no slots: {left:?}");
}

#[test]
fn a_compaction_that_the_watch_has_missed_is_made_up_for_in_one_step() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    let proxy = Proxy::to(etcd.client_port(0));
    let writer = open(&options);
    let pair = |n: u32| vec![put("left", n.to_string()), put("right", n.to_string())];
    done(&writer, [pair(0), vec![put("gone", "x"), put("same", "x")]].concat());
    let behind = Arc::new(open(&through(&proxy, &options)));
    let told = Arc::new(Mutex::new(Vec::<(Phase, Change, bool)>::new()));
    let (keep, reader) = (Arc::clone(&told), Arc::downgrade(&behind));
    behind.watch(Box::new(move |phase, change| {
        let old = reader.upgrade().is_some_and(|store| get(&*store, "gone").is_some());
        keep.lock().expect("not poisoned").push((phase, change.clone(), old));
    }));
    proxy.set_down(true);
    let before = get(&*behind, "left");
    for n in 1..30 {
        done(&writer, pair(n));
    }
    let last = done(&writer, [pair(30), vec![delete("gone"), put("new", "x")]].concat());
    let client = writer.inner.client.clone();
    let at = i64::try_from(last.0).expect("small");
    writer.handle.block_on(async move { client.compact(at).await }).expect("compacted");
    assert_eq!(get(&*behind, "left"), before, "it goes on serving what it had");
    assert!(matches!(block_on(behind.confirm()), Err(StoreError::Unavailable(_))));
    proxy.set_down(false);
    let until = Instant::now() + HANG;
    while behind.lag().resyncs == 0 || get(&*behind, "new").is_none() {
        let seen = behind.scan("", None, 9).expect("readable");
        let value =
            |wanted: &str| seen.iter().find(|(path, _)| path.as_str() == wanted).map(|(_, entry)| entry.value.clone());
        assert_eq!(value("left"), value("right"), "two moments in one read");
        assert!(Instant::now() < until, "it does not catch up: {:?}", behind.lag());
    }
    block_on(behind.confirm()).expect("confirmed");
    assert_eq!(behind.revision().expect("readable"), last);
    let kinds = [
        ("gone", ChangeKind::Deleted),
        ("left", ChangeKind::Updated),
        ("new", ChangeKind::Created),
        ("right", ChangeKind::Updated),
    ];
    let changed = kinds.map(|(path, kind)| (Path::new(path), kind)).to_vec();
    let change = Change { revision: last, writes: changed };
    eventually("both phases are told", || told.lock().expect("not poisoned").len() >= 2);
    let told = told.lock().expect("not poisoned");
    assert_eq!(*told, [(Phase::Prepared, change.clone(), true), (Phase::Committed, change, false)]);
    drop(told);
    // And the watch goes on.
    let next = done(&writer, pair(31));
    block_on(behind.confirm()).expect("confirmed");
    assert_eq!(behind.revision().expect("readable"), next);
}

#[test]
fn a_long_absence_is_made_up_for_from_the_watch() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    let proxy = Proxy::to(etcd.client_port(0));
    let (writer, behind) = (open(&options), open(&through(&proxy, &options)));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    behind.watch(Box::new(move |phase, change| {
        if phase == Phase::Committed {
            keep.lock().expect("not poisoned").push((change.revision, change.writes.len()));
        }
    }));
    proxy.set_down(true);
    // More than one answer of the watch can hold, so that it comes in fragments.
    let mut expected = Vec::new();
    for n in 0..12_u8 {
        let parts: Vec<Write> = (0..5).map(|part| put(&format!("{n}/{part}"), vec![n; 200_000])).collect();
        expected.push((done(&writer, parts), 5));
    }
    proxy.set_down(false);
    eventually("it catches up", || block_on(behind.confirm()).is_ok());
    assert_eq!(*heard.lock().expect("not poisoned"), expected, "each revision is told once and whole");
    assert_eq!(behind.lag().resyncs, 0);
    assert_eq!(everything(&behind), everything(&writer));
}

#[test]
fn an_answer_that_is_lost_is_found_out() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    let proxy = Proxy::to(etcd.client_port(0));
    let mut endpoints = through(&proxy, &options).endpoints;
    endpoints.extend(etcd.endpoints());
    let two_ways = EtcdOptions { endpoints, ..options.clone() };

    // The answer does not come, but another way there is one.
    let store = open(&two_ways);
    done(&store, vec![put("a", "0")]);
    proxy.hold_answers(true);
    let answer = try_put(&store, "a", "1");
    assert!(matches!(answer, Ok(Committed::Done(_))), "{answer:?}");
    assert_eq!(get(&store, "a").expect("present").value, b"1");
    proxy.hold_answers(false);
    drop(store);

    // The request does not arrive, and when it does, it is too late.
    let store = open(&two_ways);
    done(&store, vec![put("a", "2")]);
    proxy.hold_requests(true);
    let answer = try_put(&store, "a", "3");
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    proxy.hold_requests(false);
    thread::sleep(Duration::from_millis(200));
    block_on(store.confirm()).expect("confirmed");
    assert_eq!(get(&store, "a").expect("present").value, b"2", "what was answered as not done never happens");
    assert_eq!(store.inner.slots.free(), SLOTS);
}

#[test]
fn slots_that_are_not_settled_are_not_used() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    let proxy = Proxy::to(etcd.client_port(0));
    let store = open(&through(&proxy, &options));
    done(&store, vec![put("first", "x")]);
    proxy.hold_answers(true);
    let answers: Vec<_> = thread::scope(|scope| {
        let puts: Vec<_> = (0..SLOTS + 6)
            .map(|n| {
                let store = &store;
                scope.spawn(move || (n, try_put(store, &format!("k/{n}"), "x")))
            })
            .collect();
        puts.into_iter().map(|put| put.join().expect("answered")).collect()
    });
    let refused = answers.iter().filter(|(_, answer)| matches!(answer, Err(StoreError::Unavailable(_)))).count();
    let unknown = answers.iter().filter(|(_, answer)| matches!(answer, Ok(Committed::Unknown))).count();
    assert_eq!((refused, unknown), (6, SLOTS), "{answers:?}");
    assert_eq!(store.inner.slots.free(), 0);
    proxy.hold_answers(false);
    eventually("every slot is settled", || store.inner.slots.free() == SLOTS);
    for (n, answer) in answers {
        if answer.is_err() {
            assert_eq!(get(&store, &format!("k/{n}")), None, "a commit that found no slot was not sent");
        }
    }
    for _ in 0..2 * SLOTS {
        done(&store, vec![put("again", "x")]);
    }
}

#[test]
fn a_slot_that_somebody_removed_does_no_harm() {
    let etcd = Etcd::start();
    let store = open(&fresh(&etcd));
    done(&store, vec![put("a", "1")]);
    let prefix = format!("{}/c/", store.inner.keys.prefix());
    let removed = etcd.control(&["del", "--prefix", &prefix]);
    assert!(removed.starts_with('1'), "{removed}");
    for _ in 0..=SLOTS {
        done(&store, vec![put("a", "2")]);
    }
}

#[test]
fn slots_of_the_day_before_yesterday_are_removed() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    drop(open(&options));
    let now = open::unix_seconds();
    let slot = |name: &str| format!("{}/c/{name}/0", options.prefix);
    etcd.control(&["put", &slot("old"), &format!("7 {}", now - 2 * 86_400)]);
    etcd.control(&["put", &slot("young"), &format!("7 {now}")]);
    let store = open(&options);
    let kept: Vec<String> = raw(&store).kvs.iter().map(|kv| String::from_utf8_lossy(&kv.key).into_owned()).collect();
    assert!(kept.contains(&slot("young")) && !kept.contains(&slot("old")), "{kept:?}");
}

#[test]
fn what_is_not_a_store_is_left_as_it_is() {
    let etcd = Etcd::start();
    let refused = |options: &EtcdOptions| match EtcdStore::open(options) {
        Ok(_) => panic!("it was opened"),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n'), "{text}");
            error
        }
    };
    let foreign = fresh(&etcd);
    etcd.control(&["put", &format!("{}/other", foreign.prefix), "x"]);
    assert!(matches!(refused(&foreign), OpenError::Foreign(_)));
    let other = fresh(&etcd);
    etcd.control(&["put", &format!("{}/store", other.prefix), "x"]);
    assert!(matches!(refused(&other), OpenError::Foreign(_)));
    let newer = fresh(&etcd);
    etcd.control(&["put", &format!("{}/store", newer.prefix), r#"{"format":2,"id":"00"}"#]);
    assert!(matches!(refused(&newer), OpenError::Format { found: 2, .. }));
    let damaged = fresh(&etcd);
    drop(open(&damaged));
    etcd.control(&["put", &format!("{}/r/", damaged.prefix), "x"]);
    assert!(matches!(refused(&damaged), OpenError::Damaged(_)));
    let headless = fresh(&etcd);
    drop(open(&headless));
    etcd.control(&["del", &format!("{}/head", headless.prefix)]);
    assert!(matches!(refused(&headless), OpenError::Damaged(_)));
    for options in [foreign, other, newer] {
        let below = etcd.control(&["get", "--prefix", "--keys-only", &format!("{}/", options.prefix)]);
        assert_eq!(below.split_whitespace().count(), 1, "nothing was added: {below}");
    }
    let slash = EtcdOptions { prefix: "a/b".to_owned(), ..fresh(&etcd) };
    assert!(matches!(refused(&slash), OpenError::Prefix(_)));
    let nobody = EtcdOptions { endpoints: vec!["http://127.0.0.1:1".to_owned()], ..fresh(&etcd) };
    assert!(matches!(refused(&nobody), OpenError::Unreachable(_)));
}

#[test]
fn a_commit_that_etcd_would_refuse_is_not_sent() {
    let etcd = Etcd::start();
    let store = open(&fresh(&etcd));
    let large = |count: usize| (0..count).map(|n| put(&format!("k/{n}"), vec![7; VALUE_BYTES_MAX])).collect();
    let answer = block_on(store.commit(commit(&[], large(6))));
    assert!(matches!(answer, Err(StoreError::Limit("bytes in a commit"))), "{answer:?}");
    done(&store, large(5));
    assert_eq!(store.inner.slots.free(), SLOTS);
}

#[test]
fn a_snapshot_may_be_taken_on_any_thread() {
    let etcd = Etcd::start();
    let store = Arc::new(open(&fresh(&etcd)));
    let (sender, seen) = mpsc::channel();
    let sender = Mutex::new(sender);
    let reader = Arc::downgrade(&store);
    store.watch(Box::new(move |phase, _| {
        let count = reader.upgrade().map_or(0, |store| everything(&*store).len());
        sender.lock().expect("not poisoned").send((phase, count)).expect("the test listens");
    }));
    done(&*store, (0..100).map(|n| put(&format!("k/{n}"), "x")).collect());
    // etcd has it already when watchers are told that it is coming.
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(Phase::Prepared, 100), (Phase::Committed, 100)]);
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let reading = Arc::clone(&store);
    assert_eq!(runtime.block_on(async move { everything(&*reading).len() }), 100);
}

#[test]
fn after_a_watcher_panics_nothing_more_is_committed() {
    let etcd = Etcd::start();
    let store = open(&fresh(&etcd));
    store.watch(Box::new(|phase, _| assert_ne!(phase, Phase::Committed, "a broken watcher")));
    let first = try_put(&store, "a", "x");
    assert!(matches!(first, Ok(Committed::Unknown)), "{first:?}");
    assert!(matches!(try_put(&store, "b", "x"), Err(StoreError::Damaged(_))));
    assert!(matches!(block_on(store.confirm()), Err(StoreError::Damaged(_))));
    assert!(store.lag().failed.is_some());
    assert!(get(&store, "a").is_some());
}

#[test]
fn a_store_that_was_replaced_is_not_followed() {
    let etcd = Etcd::start();
    let options = fresh(&etcd);
    let proxy = Proxy::to(etcd.client_port(0));
    let store = open(&through(&proxy, &options));
    done(&store, vec![put("a", "x")]);
    proxy.set_down(true);
    etcd.control(&["del", "--prefix", &format!("{}/", options.prefix)]);
    drop(open(&options));
    proxy.set_down(false);
    eventually("it is noticed", || store.lag().failed.is_some());
    assert!(matches!(try_put(&store, "b", "x"), Err(StoreError::Damaged(_))));
}

#[test]
fn the_lag_says_how_the_watch_is() {
    let etcd = Etcd::start();
    let store = open(&fresh(&etcd));
    let revision = done(&store, vec![put("a", "12345"), put("bb", "1")]);
    eventually("it is connected", || store.lag().connected);
    let lag = store.lag();
    assert_eq!((lag.entries, lag.bytes, lag.revision), (2, 9, revision));
    assert_eq!((lag.resyncs, lag.reconnects, lag.failed), (0, 0, None));
    // Asked once a second, the member answers though nothing happens.
    let heard = lag.heard;
    eventually("the member answers", || store.lag().heard > heard + Duration::from_millis(900));
}
