//! Three members, with TLS and users by certificate.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize},
};

use jomae_etcd::Identity;
use jomae_sim::{
    block_on,
    etcd::{Authority, Etcd, Pem},
    store_suite::{commit, done, everything, get, put},
};

use super::{
    tests::{eventually, open},
    *,
};

fn tls(authority: &Authority, client: Pem) -> Tls {
    let identity = Identity { certificate: client.certificate, key: client.key.into() };
    Tls { ca: authority.pem(), identity: Some(identity) }
}

fn with_tls(etcd: &Etcd, client: Pem) -> EtcdOptions {
    EtcdOptions { tls: Some(tls(etcd.authority(), client)), ..EtcdOptions::new(etcd.endpoints()) }
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
    let known = tls(etcd.authority(), etcd.authority().issue("jomae"));
    for unknown in [Tls { identity: None, ..known.clone() }, Tls { ca: Authority::new().pem(), ..known }] {
        let error = refused(&EtcdOptions { tls: Some(unknown), ..options.clone() });
        assert!(matches!(error, OpenError::Certificate(_)), "{error}");
    }
}

#[test]
fn new_certificates_are_taken_and_bad_ones_are_not() {
    let etcd = Etcd::start_tls(1);
    etcd.enable_auth("jomae", "jomae");
    etcd.add_user("second");
    let issue = |name: &str| etcd.authority().issue(name);
    let ours = |client: Pem| tls(etcd.authority(), client);
    let options = with_tls(&etcd, issue("jomae"));
    let store = open(&options);
    eventually("the watch is open", || store.lag().connected);

    let other_key = Pem { key: issue("second").key, ..issue("second") };
    let no_key = Pem { key: b"-----BEGIN".to_vec(), ..issue("second") };
    let (stranger, expired) = (issue("stranger"), etcd.authority().issue_for("second", Duration::ZERO));
    let elsewhere = Authority::new();
    let bad = [
        ("Config", ours(other_key)),
        ("Config", ours(no_key)),
        ("Config", Tls { ca: b"nothing".to_vec(), ..ours(issue("second")) }),
        ("Permission", ours(stranger)),
        ("Certificate", ours(expired)),
        ("Certificate", ours(elsewhere.issue("jomae"))),
        ("Certificate", tls(&elsewhere, issue("second"))),
    ];
    for (why, tls) in bad {
        let error = block_on(store.renew(tls)).expect_err("it is refused");
        assert!(format!("{error:?}").starts_with(why), "{why}: {error:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
        done(&store, vec![put(why, "x")]);
    }
    assert!(!block_on(store.renew(options.tls.clone().expect("TLS"))).expect("taken"), "they are in use");
    assert_eq!(store.lag().reconnects, 0);

    let second = ours(issue("second"));
    assert!(block_on(store.renew(second.clone())).expect("taken"));
    assert!(!block_on(store.renew(second)).expect("taken"), "they are in use");
    // Nothing comes as the former user any more, not even over a connection that is open.
    let said = etcd.control(&["user", "delete", "jomae"]);
    assert!(!said.contains("Error"), "{said}");
    eventually("the watch is opened again", || store.lag().reconnects == 1 && store.lag().connected);
    done(&store, vec![put("b", "x")]);
    block_on(store.confirm()).expect("confirmed");
    assert!(matches!(EtcdStore::open(&options), Err(OpenError::Permission { .. })));
}

#[test]
fn an_expired_certificate_is_replaced_without_a_restart() {
    const VALID: Duration = Duration::from_secs(3);
    let mut etcd = Etcd::start_tls(1);
    let issued = Instant::now();
    let options = with_tls(&etcd, etcd.authority().issue_for("jomae", VALID));
    let store = open(&options);
    done(&store, vec![put("a", "x")]);
    thread::sleep((VALID + Duration::from_secs(1)).saturating_sub(issued.elapsed()));
    // An open connection outlives the certificate that it was made with.
    done(&store, vec![put("b", "x")]);
    etcd.kill(0);
    etcd.restart(0);
    eventually(
        "etcd refuses the certificate",
        || matches!(block_on(store.confirm()), Err(StoreError::Unavailable(why)) if why.contains("certificate")),
    );
    block_on(store.renew(tls(etcd.authority(), etcd.authority().issue("jomae")))).expect("taken");
    done(&store, vec![put("c", "x")]);
    block_on(store.confirm()).expect("confirmed");
}

#[test]
fn certificates_are_taken_though_etcd_is_away() {
    let mut etcd = Etcd::start_tls(1);
    etcd.enable_auth("jomae", "jomae");
    etcd.add_user("second");
    let store = open(&with_tls(&etcd, etcd.authority().issue("jomae")));
    etcd.kill(0);
    assert!(block_on(store.renew(tls(etcd.authority(), etcd.authority().issue("second")))).expect("taken"));
    etcd.restart(0);
    let said = etcd.control(&["user", "delete", "jomae"]);
    assert!(!said.contains("Error"), "{said}");
    eventually("etcd is back", || block_on(store.confirm()).is_ok());
    done(&store, vec![put("a", "x")]);
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
