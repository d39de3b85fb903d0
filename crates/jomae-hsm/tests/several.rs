//! Several workers of one token.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    ffi::OsString,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jomae_crypto::rng;
use jomae_hsm::{Algorithm, CallError, Hsm, KeyRef, Kind, Launch, ObjectName, Phase, Secret, Settings, wire::Failure};
use jomae_sim::{
    block_on, kryoptic,
    softhsm::{MODULE, PIN, Tokens},
    wait_until,
};

const LABEL: &str = "jomae several";
const WITHIN: Duration = Duration::from_mins(1);

fn settings(module: &Path, workers: u16) -> Settings {
    Settings {
        module: module.to_owned(),
        token_label: LABEL.to_owned(),
        token_serial: None,
        sessions: 4,
        workers,
        timeout: Duration::from_secs(2),
        pin: Box::new(|| Ok(Secret::new(PIN.into()))),
    }
}

fn start(settings: Settings, env: Vec<(OsString, OsString)>) -> Hsm {
    let program = env!("CARGO_BIN_EXE_jomae-hsm-worker").into();
    let wanted = usize::from(settings.workers.min(settings.sessions));
    let hsm = Hsm::start(settings, Launch { program, args: Vec::new(), env, without: Vec::new() }).unwrap();
    hsm.settled(WITHIN);
    wait_until("all workers", || hsm.status().phase != Phase::Up || hsm.status().up == wanted);
    hsm
}

fn softhsm() -> (tempfile::TempDir, Tokens) {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::new(dir.path());
    tokens.add(LABEL);
    (dir, tokens)
}

fn make(hsm: &Hsm, kind: Kind) -> KeyRef {
    let name = ObjectName { id: rng::array(), label: "jomae:1:key:version".to_owned() };
    let key = KeyRef { kind, id: name.id };
    block_on(hsm.generate(kind, name)).unwrap();
    key
}

fn seal(hsm: &Hsm, key: KeyRef) -> Result<Vec<u8>, CallError> {
    block_on(hsm.seal(key, rng::array(), b"aad".to_vec(), Secret::new(b"text".to_vec())))
}

fn signal(worker: u32, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, &worker.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// What one worker makes the other one uses and destroys, while the first hangs. With nothing to do the first is the one that is
/// asked; while a call hangs there, the other.
fn each_does_for_the_other(hsm: &Hsm) {
    assert_eq!(hsm.status().up, 2);
    let (key, signer) = (make(hsm, Kind::Aes256), make(hsm, Kind::EcP256));
    let first = hsm.status().workers[0];
    signal(first, "-STOP");
    let made = std::thread::scope(|scope| {
        let hanging = scope.spawn(|| seal(hsm, key));
        wait_until("the call", || hsm.status().waiting > 0);
        seal(hsm, key).unwrap();
        block_on(hsm.sign(signer, Algorithm::Ecdsa, vec![1; 32])).unwrap();
        let made = make(hsm, Kind::Aes256);
        block_on(hsm.destroy(signer)).unwrap();
        assert!(matches!(hanging.join().unwrap(), Err(CallError::Down(_))), "the first is killed");
        made
    });
    wait_until("the first", || hsm.status().up == 2);
    assert_ne!(hsm.status().workers[0], first);
    assert_eq!(hsm.status().restarts, 1);
    seal(hsm, made).unwrap();
    let gone = block_on(hsm.sign(signer, Algorithm::Ecdsa, vec![1; 32]));
    assert!(matches!(gone, Err(CallError::Failed(Failure::NoSuchKey))), "{:?}", gone.err());
    let before = hsm.status().calls;
    block_on(hsm.destroy(key)).unwrap();
    assert_eq!(hsm.status().calls, before + 2, "each worker is told of a key that is destroyed");
    assert!(matches!(seal(hsm, key), Err(CallError::Failed(Failure::NoSuchKey))));
}

#[test]
fn workers_share_a_token_of_softhsm() {
    let (_dir, tokens) = softhsm();
    each_does_for_the_other(&start(settings(Path::new(MODULE), 2), tokens.env()));
}

#[test]
fn workers_share_a_token_of_kryoptic() {
    let dir = tempfile::tempdir().unwrap();
    let token = kryoptic::Token::new(&dir.path().join("token"), LABEL);
    each_does_for_the_other(&start(settings(token.module(), 2), token.env()));
}

#[test]
fn who_kills_one_worker_fails_only_what_it_has() {
    let (_dir, tokens) = softhsm();
    let hsm = Arc::new(start(settings(Path::new(MODULE), 2), tokens.env()));
    let key = make(&hsm, Kind::Aes256);
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (hsm, stop) = (Arc::clone(&hsm), Arc::clone(&stop));
            std::thread::spawn(move || {
                let (mut good, mut bad) = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    match seal(&hsm, key) {
                        Ok(_) => good += 1,
                        Err(CallError::Down(_)) => bad += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                (good, bad)
            })
        })
        .collect();
    for nth in [1, 0, 1, 0] {
        wait_until("both", || hsm.status().up == 2);
        std::thread::sleep(Duration::from_millis(200));
        signal(hsm.status().workers[nth], "-KILL");
        wait_until("the end", || hsm.status().up < 2);
    }
    stop.store(true, Ordering::Relaxed);
    let counts = callers.into_iter().map(|caller| caller.join().unwrap());
    let (good, bad) = counts.fold((0, 0), |all: (u32, u32), one: (u32, u32)| (all.0 + one.0, all.1 + one.1));
    assert!(good > 500, "{good} {bad}");
    assert!(
        (1..=4 * 8).contains(&bad),
        "what was in flight at the one that was killed, and nothing after it: {bad} of {good}"
    );
}

#[test]
fn a_pin_that_is_refused_is_tried_by_one_worker() {
    let (_dir, tokens) = softhsm();
    let is_wrong = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&is_wrong);
    let pin = move || Ok(Secret::new(if told.load(Ordering::Relaxed) { b"1111-wrong".to_vec() } else { PIN.into() }));
    let hsm = start(Settings { pin: Box::new(pin), ..settings(&tokens.fault_module(), 3) }, tokens.env());
    let refused = |hsm: &Hsm| match hsm.status().phase {
        Phase::Down { reason, is_final } => is_final && reason.contains("refuses the PIN"),
        _ => false,
    };
    assert!(refused(&hsm));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(tokens.logins(), 1, "nobody else tries it");
    is_wrong.store(false, Ordering::Relaxed);
    hsm.reload();
    wait_until("all three", || hsm.status().up == 3);
    assert_eq!(tokens.logins(), 4);
    // From now on it is another one, and all three begin anew at the same time.
    is_wrong.store(true, Ordering::Relaxed);
    for worker in hsm.status().workers {
        signal(worker, "-KILL");
    }
    wait_until("the refusal", || refused(&hsm) && hsm.status().workers.is_empty());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(tokens.logins(), 5);
}

#[test]
fn there_are_no_more_workers_than_sessions() {
    let (_dir, tokens) = softhsm();
    let hsm = start(Settings { sessions: 1, ..settings(Path::new(MODULE), 4) }, tokens.env());
    assert_eq!((hsm.status().up, hsm.status().workers.len()), (1, 1));
    seal(&hsm, make(&hsm, Kind::Aes256)).unwrap();
}
