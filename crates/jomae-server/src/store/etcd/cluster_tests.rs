//! Three members, with TLS and users by certificate.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize},
};

use jomae_sim::{
    block_on,
    etcd::{Authority, Etcd, Pem},
    store_suite::{commit, done, everything, get, put},
};

use super::{
    tests::{eventually, open},
    *,
};

fn with_tls(etcd: &Etcd, client: Pem) -> EtcdOptions {
    EtcdOptions {
        ca: Some(etcd.authority().pem()),
        identity: Some((client.certificate, client.key.into())),
        ..EtcdOptions::new(etcd.endpoints())
    }
}

#[test]
fn users_are_known_by_their_certificates() {
    let etcd = Etcd::start_tls(3);
    etcd.enable_auth("jomae", "jomae");
    let options = with_tls(&etcd, etcd.authority().issue("jomae"));
    let store = open(&options);
    done(&store, vec![put("a", "x")]);
    block_on(store.confirm()).expect("confirmed");
    assert_eq!(everything(&store).len(), 1);

    let refused = |options: &EtcdOptions| EtcdStore::open(options).err().expect("it is refused");
    let elsewhere = EtcdOptions { prefix: "other".to_owned(), ..options.clone() };
    let error = refused(&elsewhere);
    assert!(matches!(error, OpenError::Permission { .. }), "{error}");
    let error = refused(&with_tls(&etcd, etcd.authority().issue("stranger")));
    assert!(matches!(error, OpenError::Permission { .. }), "{error}");
    let error = refused(&with_tls(&etcd, Authority::new().issue("jomae")));
    assert!(matches!(error, OpenError::Certificate(_)), "{error}");
    let error = refused(&EtcdOptions { identity: None, ..options.clone() });
    assert!(matches!(error, OpenError::Certificate(_)), "{error}");
    let error = refused(&EtcdOptions { ca: Some(Authority::new().pem()), ..options });
    assert!(matches!(error, OpenError::Certificate(_)), "{error}");
}

#[test]
fn other_certificates_are_taken_without_a_start() {
    let etcd = Etcd::start_tls(1);
    etcd.enable_auth("jomae", "jomae");
    let options = with_tls(&etcd, etcd.authority().issue("jomae"));
    let store = open(&options);
    done(&store, vec![put("a", "x")]);
    // One that is of no use changes nothing.
    let broken = EtcdOptions { identity: Some((b"no".to_vec(), b"no".to_vec().into())), ..options.clone() };
    assert!(block_on(store.use_certificates(&broken)).is_err());
    done(&store, vec![put("a", "y")]);
    // Of a user who may do nothing: calls are refused, so it is the one in use.
    block_on(store.use_certificates(&with_tls(&etcd, etcd.authority().issue("stranger")))).expect("a good pair");
    let refused = block_on(store.commit(commit(&[], vec![put("a", "z")])));
    assert!(refused.is_err(), "{refused:?}");
    block_on(store.use_certificates(&with_tls(&etcd, etcd.authority().issue("jomae")))).expect("a good pair");
    done(&store, vec![put("a", "z")]);
    block_on(store.confirm()).expect("confirmed");
    assert_eq!(get(&store, "a").map(|entry| entry.value), Some(b"z".to_vec()));
}

/// What was written, how that ended, and after how long.
type Answered = (String, Result<Committed, StoreError>, Duration);

/// Commits on some threads until told to stop; every path is written once.
struct Writers {
    answers: Mutex<Vec<Answered>>,
    stop: AtomicBool,
    next: AtomicUsize,
}

impl Writers {
    fn run(store: &EtcdStore, meanwhile: impl FnOnce(&Self)) -> Vec<Answered> {
        let writers = Self { answers: Mutex::default(), stop: AtomicBool::new(false), next: AtomicUsize::new(0) };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !writers.stop.load(Ordering::SeqCst) {
                        let path = format!("k/{}", writers.next.fetch_add(1, Ordering::SeqCst));
                        let begun = Instant::now();
                        let answer = block_on(store.commit(commit(&[(&path, None)], vec![put(&path, "x")])));
                        writers.answers.lock().expect("not poisoned").push((path, answer, begun.elapsed()));
                    }
                });
            }
            meanwhile(&writers);
            writers.stop.store(true, Ordering::SeqCst);
        });
        writers.answers.into_inner().expect("not poisoned")
    }

    /// Waits for so many more successes.
    fn await_done(&self, count: usize) {
        let done = || {
            let answers = self.answers.lock().expect("not poisoned");
            answers.iter().filter(|(_, answer, _)| matches!(answer, Ok(Committed::Done(_)))).count()
        };
        let before = done();
        eventually("commits go on", || done() >= before + count);
    }
}

fn check(options: &EtcdOptions, store: &EtcdStore, answers: &[Answered]) {
    eventually("every outcome is found out", || store.inner.slots.free() == SLOTS);
    block_on(store.confirm()).expect("confirmed");
    let other = open(options);
    assert_eq!(everything(store), everything(&other));
    let mut unknown = 0;
    for (path, answer, took) in answers {
        assert!(*took < Duration::from_secs(8), "an answer comes in time: {answer:?} after {took:?}");
        for store in [store, &other] {
            let found = get(store, path).map(|entry| entry.revision);
            match answer {
                Ok(Committed::Done(revision)) => assert_eq!(found, Some(*revision), "{path}"),
                Ok(Committed::Unknown) => unknown += 1,
                Ok(Committed::Conflict) => panic!("{path} is written once"),
                Err(_) => assert_eq!(found, None, "{path}: {answer:?}"),
            }
        }
    }
    let failed = answers.iter().filter(|(_, answer, _)| answer.is_err()).count();
    println!("{} answers, {failed} not done, {} unknown", answers.len(), unknown / 2);
}

#[test]
fn answers_hold_when_members_die_or_stand_still() {
    let mut etcd = Etcd::start_tls(3);
    let options = with_tls(&etcd, etcd.authority().issue("jomae"));
    let store = open(&options);
    let answers = Writers::run(&store, |writers| {
        writers.await_done(50);
        let leader = etcd.leader();
        etcd.kill(leader);
        writers.await_done(50);
        etcd.restart(leader);
        let leader = etcd.leader();
        etcd.pause(leader);
        thread::sleep(Duration::from_secs(3));
        etcd.resume(leader);
        writers.await_done(50);
    });
    check(&options, &store, &answers);
}

#[test]
fn a_member_alone_may_die_and_come_back() {
    let mut etcd = Etcd::start();
    let options = EtcdOptions::new(etcd.endpoints());
    let store = open(&options);
    let answers = Writers::run(&store, |writers| {
        writers.await_done(50);
        etcd.kill(0);
        thread::sleep(Duration::from_millis(300));
        etcd.restart(0);
        writers.await_done(50);
        etcd.pause(0);
        thread::sleep(Duration::from_secs(3));
        etcd.resume(0);
        writers.await_done(50);
    });
    check(&options, &store, &answers);
}
