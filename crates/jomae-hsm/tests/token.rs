//! Worker and client with tokens of SoftHSM, and with a module that misbehaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    path::Path,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use jomae_crypto::{
    asym::{self, AsymSpec, EncAlg, PrivateKey, SignAlg},
    mac::{MacAlg, mac},
    rng,
    secret::Key256,
};
use jomae_hsm::{
    Algorithm, CallError, Hsm, KeyRef, Kind, Launch, ObjectName, Phase, Secret, Settings, Status, wire::Failure,
};
use jomae_sim::{
    block_on,
    softhsm::{MODULE, PIN, Tokens},
    wait_until,
};
use tempfile::TempDir;

const LABEL: &str = "jomae test";
const WITHIN: Duration = Duration::from_mins(1);

struct Bench {
    _dir: TempDir,
    tokens: Tokens,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::new(dir.path());
    tokens.add(LABEL);
    Bench { _dir: dir, tokens }
}

fn settings(module: &Path, pin: &'static str) -> Settings {
    Settings {
        module: module.to_owned(),
        token_label: LABEL.to_owned(),
        token_serial: None,
        sessions: 4,
        workers: 2,
        timeout: Duration::from_secs(10),
        pin: Box::new(move || Ok(Secret::new(pin.into()))),
    }
}

fn launch(tokens: &Tokens) -> Launch {
    Launch {
        program: env!("CARGO_BIN_EXE_jomae-hsm-worker").into(),
        args: Vec::new(),
        env: tokens.env(),
        without: Vec::new(),
    }
}

impl Bench {
    fn start(&self) -> Hsm {
        self.start_with(settings(Path::new(MODULE), PIN))
    }

    fn start_with(&self, settings: Settings) -> Hsm {
        let hsm = Hsm::start(settings, launch(&self.tokens)).unwrap();
        hsm.settled(WITHIN);
        wait_until("both workers", || hsm.status().phase != Phase::Up || hsm.status().up == 2);
        hsm
    }

    /// Up, with the module that misbehaves, and a short patience.
    fn faulty(&self) -> Hsm {
        let timeout = Duration::from_secs(2);
        let hsm = self.start_with(Settings { timeout, ..settings(&self.tokens.fault_module(), PIN) });
        assert_eq!(hsm.status().phase, Phase::Up);
        hsm
    }
}

fn name() -> ObjectName {
    ObjectName { id: rng::array(), label: "jomae:1:key:version".to_owned() }
}

fn make(hsm: &Hsm, kind: Kind) -> (KeyRef, Option<Vec<u8>>) {
    let name = name();
    let key = KeyRef { kind, id: name.id };
    (key, block_on(hsm.generate(kind, name)).unwrap())
}

fn why_down(status: &Status) -> (&str, bool) {
    match &status.phase {
        Phase::Down { reason, is_final } => (reason, *is_final),
        other => panic!("{other:?}"),
    }
}

fn round_trip(hsm: &Hsm, key: KeyRef) {
    let sealed = block_on(hsm.seal(key, rng::array(), b"aad".to_vec(), Secret::new(b"text".to_vec())));
    assert_eq!(sealed.unwrap().len(), 4 + 16);
}

#[test]
fn every_kind_that_is_promised_works() {
    let bench = bench();
    let hsm = bench.start();
    let status = hsm.status();
    assert_eq!(status.phase, Phase::Up);
    let facts = status.facts.unwrap();
    assert_eq!(facts.label, LABEL);
    for kind in
        [Kind::Aes256, Kind::Aes128, Kind::Rsa2048Sign, Kind::Rsa4096Sign, Kind::EcP256, Kind::EcP384, Kind::EcP256K]
    {
        assert!(facts.kinds.contains(&kind) && facts.importable.contains(&kind), "{kind:?}: {facts:?}");
    }
    // SoftHSM 2.6 takes OAEP with SHA-1 only, and its list of mechanisms does not say so.
    assert!(!facts.kinds.contains(&Kind::Rsa2048Decrypt));
    for (kind, algorithm, same) in [
        (Kind::Rsa2048Sign, Algorithm::RsaPssSha256, SignAlg::RsaPssSha256),
        (Kind::Rsa2048Sign, Algorithm::RsaPkcs1Sha256, SignAlg::RsaPkcs1Sha256),
        (Kind::EcP256, Algorithm::Ecdsa, SignAlg::EcdsaSha256),
        (Kind::EcP256K, Algorithm::Ecdsa, SignAlg::EcdsaSha256),
        (Kind::EcP384, Algorithm::Ecdsa, SignAlg::EcdsaSha384),
        (Kind::EcP521, Algorithm::Ecdsa, SignAlg::EcdsaSha512),
        (Kind::Ed25519, Algorithm::Ed25519, SignAlg::Ed25519),
    ] {
        if !facts.kinds.contains(&kind) {
            assert!(matches!(kind, Kind::Ed25519), "{kind:?}");
            continue;
        }
        let (key, public) = make(&hsm, kind);
        let public = public.unwrap();
        let digest = vec![0x11; same.digest_bytes().unwrap_or(99)];
        let signature = block_on(hsm.sign(key, algorithm, digest.clone())).unwrap();
        let spec = asym::spec_of_spki(&public).unwrap();
        assert!(asym::verify(spec, same, &public, &digest, &signature), "{kind:?}");
    }
}

#[test]
fn aes_opens_what_it_sealed_and_nothing_else() {
    let bench = bench();
    let hsm = bench.start();
    let (key, public) = make(&hsm, Kind::Aes256);
    assert!(public.is_none());
    let nonce = rng::array();
    let sealed = block_on(hsm.seal(key, nonce, b"aad".to_vec(), Secret::new(b"secret".to_vec()))).unwrap();
    let open = |key, nonce, aad: &[u8], sealed: &[u8]| block_on(hsm.open(key, nonce, aad.to_vec(), sealed.to_vec()));
    assert_eq!(open(key, nonce, b"aad", &sealed).unwrap().unwrap().expose(), b"secret");
    assert!(open(key, nonce, b"dad", &sealed).unwrap().is_none());
    assert!(open(key, rng::array(), b"aad", &sealed).unwrap().is_none());
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(open(key, nonce, b"aad", &damaged).unwrap().is_none(), "{at}");
    }
    let (other, _) = make(&hsm, Kind::Aes256);
    assert!(open(other, nonce, b"aad", &sealed).unwrap().is_none());
    assert_eq!(hsm.status().restarts, 0, "a wrong ciphertext is no reason to begin anew");
}

#[test]
fn imported_material_computes_what_it_computes_elsewhere() {
    let bench = bench();
    let hsm = bench.start();
    for (kind, alg, bytes) in [
        (Kind::HmacSha256, MacAlg::Sha256, 32),
        (Kind::HmacSha384, MacAlg::Sha384, 48),
        (Kind::HmacSha512, MacAlg::Sha512, 64),
    ] {
        let (name, material) = (name(), vec![7; bytes]);
        let key = KeyRef { kind, id: name.id };
        block_on(hsm.import(kind, name, Secret::new(material.clone()), None)).unwrap();
        let in_token = block_on(hsm.mac(key, Secret::new(b"message".to_vec()))).unwrap();
        assert_eq!(in_token, mac(alg, &material, b"message").to_vec());
    }
    let specs = [
        (Kind::Rsa2048Sign, AsymSpec::Rsa2048, Algorithm::RsaPssSha256, SignAlg::RsaPssSha256),
        (Kind::EcP256, AsymSpec::EcP256, Algorithm::Ecdsa, SignAlg::EcdsaSha256),
    ];
    for (kind, spec, algorithm, same) in specs {
        let (name, pair) = (name(), PrivateKey::generate(spec).unwrap());
        let (key, public) = (KeyRef { kind, id: name.id }, pair.public_spki());
        let pkcs8 = Secret::new(pair.to_pkcs8().unwrap().expose().to_vec());
        block_on(hsm.import(kind, name, pkcs8, Some(public.clone()))).unwrap();
        let signature = block_on(hsm.sign(key, algorithm, vec![1; 32])).unwrap();
        assert!(asym::verify(spec, same, &public, &[1; 32], &signature));
    }
    // A private key under a foreign public key is not kept.
    let (name, pair) = (name(), PrivateKey::generate(AsymSpec::EcP256).unwrap());
    let key = KeyRef { kind: Kind::EcP256, id: name.id };
    let foreign = PrivateKey::generate(AsymSpec::EcP256).unwrap().public_spki();
    let pkcs8 = Secret::new(pair.to_pkcs8().unwrap().expose().to_vec());
    assert!(block_on(hsm.import(Kind::EcP256, name, pkcs8, Some(foreign))).is_err());
    assert!(!block_on(hsm.find(key)).unwrap());
}

#[test]
fn more_than_the_socket_holds_arrives_whole() {
    let bench = bench();
    let hsm = bench.start();
    let name = name();
    let key = KeyRef { kind: Kind::HmacSha256, id: name.id };
    block_on(hsm.import(key.kind, name, Secret::new(vec![7; 32]), None)).unwrap();
    // 32 MiB in half a thousand calls.
    std::thread::scope(|scope| {
        for caller in 0..64_u8 {
            let hsm = &hsm;
            scope.spawn(move || {
                for nth in 0..8 {
                    let message = vec![caller ^ nth; 64_000];
                    let in_token = block_on(hsm.mac(key, Secret::new(message.clone()))).unwrap();
                    assert_eq!(in_token, mac(MacAlg::Sha256, &[7; 32], &message).to_vec(), "{caller} {nth}");
                }
            });
        }
    });
    assert_eq!(hsm.status().restarts, 0);
}

#[test]
fn calls_that_are_given_up_hold_up_no_other() {
    let bench = bench();
    let hsm = bench.start();
    let (key, _) = make(&hsm, Kind::Aes256);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut context = Context::from_waker(Waker::noop());
                for nth in 0..200_u64 {
                    let seal = || hsm.seal(key, rng::array(), Vec::new(), Secret::new(vec![1; 32]));
                    // It was begun, its answer may come together with others', and it is dropped without having been asked again.
                    let mut given_up = Box::pin(seal());
                    for _ in 0..=nth % 2 {
                        let _not_there_yet = given_up.as_mut().poll(&mut context);
                    }
                    let answer = block_on(seal()).unwrap();
                    drop(given_up);
                    assert_eq!(answer.len(), 48);
                }
            });
        }
    });
    wait_until("the last answer", || hsm.status().waiting == 0);
    assert_eq!(hsm.status().restarts, 0);
}

#[test]
fn oaep_with_sha1_decrypts() {
    let bench = bench();
    let hsm = bench.start();
    let (name, pair) = (name(), PrivateKey::generate(AsymSpec::Rsa2048).unwrap());
    let (key, public) = (KeyRef { kind: Kind::Rsa2048Decrypt, id: name.id }, pair.public_spki());
    // The kind as a whole is refused here, so the key is brought in with no check of the other hash.
    let sealed = asym::encrypt(AsymSpec::Rsa2048, EncAlg::RsaesOaepSha1, &public, b"short").unwrap();
    let pkcs8 = Secret::new(pair.to_pkcs8().unwrap().expose().to_vec());
    assert!(block_on(hsm.import(Kind::Rsa2048Decrypt, name, pkcs8, Some(public))).is_err());
    assert!(!block_on(hsm.find(key)).unwrap(), "a key that cannot do all of its kind is not kept");
    assert!(block_on(hsm.decrypt(key, Algorithm::RsaesOaepSha1, sealed)).is_err());
}

#[test]
fn a_key_is_found_again_by_a_new_worker_until_it_is_destroyed() {
    let bench = bench();
    let (key, sealed) = {
        let hsm = bench.start();
        let (key, _) = make(&hsm, Kind::Aes256);
        (key, block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![9; 32]))).unwrap())
    };
    let hsm = bench.start();
    assert_eq!(block_on(hsm.open(key, [1; 12], Vec::new(), sealed)).unwrap().unwrap().expose(), [9; 32]);
    let listed = block_on(hsm.list()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].label.as_str(), &listed[0].id[..]), ("jomae:1:key:version", &key.id[..]));
    block_on(hsm.destroy(key)).unwrap();
    assert!(!block_on(hsm.find(key)).unwrap());
    block_on(hsm.destroy(key)).unwrap();
    assert!(matches!(
        block_on(hsm.seal(key, [2; 12], Vec::new(), Secret::new(vec![9; 32]))),
        Err(CallError::Failed(jomae_hsm::wire::Failure::NoSuchKey))
    ));
    assert!(block_on(hsm.list()).unwrap().is_empty());
}

#[test]
fn lists_go_on_over_pages() {
    let bench = bench();
    let hsm = bench.start();
    for _ in 0..150 {
        make(&hsm, Kind::Aes128);
    }
    let ids: std::collections::BTreeSet<_> = block_on(hsm.list()).unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(ids.len(), 150);
}

#[test]
fn secrets_are_wrapped_under_a_key_of_a_label() {
    let bench = bench();
    let hsm = bench.start();
    let secret = Key256::random();
    assert!(block_on(hsm.wrap("root", &secret, "a")).is_err(), "the key is not there");
    let key = block_on(hsm.wrapping_key("root", true)).unwrap().unwrap();
    assert_eq!(block_on(hsm.wrapping_key("root", true)).unwrap(), Some(key), "and not made twice");
    let wrapped = block_on(hsm.wrap("root", &secret, "a")).unwrap();
    assert_eq!(block_on(hsm.unwrap("root", &wrapped, "a")).unwrap().expose(), secret.expose());
    assert!(matches!(block_on(hsm.unwrap("root", &wrapped, "b")), Err(CallError::Unreadable)));
    for at in 0..wrapped.len() {
        let mut damaged = wrapped.clone();
        damaged[at] ^= 0x80;
        assert!(matches!(block_on(hsm.unwrap("root", &damaged, "a")), Err(CallError::Unreadable)), "{at}");
    }
    assert!(matches!(block_on(hsm.unwrap("root", &wrapped[..60], "a")), Err(CallError::Unreadable)));
    assert_eq!(block_on(hsm.wrapping_key("other", false)).unwrap(), None);

    // A key that somebody has brought along wraps nothing: he knows it, and can wrap what he likes.
    let (label, key) = ("jomae:1:key:version", KeyRef { kind: Kind::Aes256, id: rng::array() });
    let name = ObjectName { id: key.id, label: label.to_owned() };
    block_on(hsm.import(key.kind, name, Secret::new(vec![7; 32]), None)).unwrap();
    assert!(block_on(hsm.find(key)).unwrap());
    let refused = |error| matches!(error, CallError::Failed(Failure::NoSuchKey));
    assert!(refused(block_on(hsm.wrap(label, &secret, "a")).unwrap_err()));
    assert!(refused(block_on(hsm.unwrap(label, &wrapped, "a")).err().unwrap()));
    assert!(refused(block_on(hsm.wrapping_key("jomae:new", true)).unwrap_err()));
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let bench = bench();
    let hsm = bench.start_with(settings(&bench.tokens.fault_module(), "1357-wrong"));
    let status = hsm.status();
    let (reason, is_final) = why_down(&status);
    assert!(reason.contains("refuses the PIN") && is_final, "{reason}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(bench.tokens.logins(), 1, "it is not tried again by itself");
    assert!(matches!(block_on(hsm.find(KeyRef { kind: Kind::Aes256, id: [0; 16] })), Err(CallError::Down(_))));
    hsm.reload();
    wait_until("the second try", || bench.tokens.logins() == 2);
}

#[test]
fn a_wrong_pin_is_tried_once_even_if_nobody_hears_that_it_was_wrong() {
    let bench = bench();
    let module = bench.tokens.fault_module();
    bench.tokens.misbehave("late-crash Login");
    let hsm = bench.start_with(settings(&module, "1357-wrong"));
    wait_until("the end of tries", || matches!(hsm.status().phase, Phase::Down { is_final: true, .. }));
    assert_eq!(bench.tokens.logins(), 1);
    let status = hsm.status();
    assert!(why_down(&status).0.contains("may have been this one"), "{status:?}");
    // The right one is tried as often as the module crashes: it does not lock the token.
    bench.tokens.misbehave("");
    let hsm = bench.start_with(settings(&module, PIN));
    assert_eq!(hsm.status().phase, Phase::Up);
}

#[test]
fn a_token_that_is_not_there_is_named() {
    let bench = bench();
    let hsm = bench.start_with(Settings { token_label: "nowhere".to_owned(), ..settings(Path::new(MODULE), PIN) });
    let status = hsm.status();
    let (reason, is_final) = why_down(&status);
    assert!(reason.contains("no token with the label \"nowhere\"") && !is_final, "{reason}");
    let hsm = bench.start_with(settings(Path::new("/nowhere.so"), PIN));
    let status = hsm.status();
    assert!(why_down(&status).0.contains("cannot be loaded"), "{status:?}");
    bench.tokens.add(LABEL);
    let hsm = bench.start();
    let status = hsm.status();
    assert!(why_down(&status).0.contains("several tokens have the label"), "{status:?}");
}

#[test]
fn another_token_of_the_same_label_is_refused_by_name() {
    let bench = bench();
    let hsm = bench.start();
    let serial = hsm.status().facts.unwrap().serial;
    let (key, _) = make(&hsm, Kind::Aes256);
    bench.tokens.take_away();
    bench.tokens.add(LABEL);
    kill(&hsm);
    wait_until("the refusal", || match hsm.status().phase {
        Phase::Down { reason, .. } => reason.contains(&format!("the keys are in {serial}")),
        _ => false,
    });
    bench.tokens.put_back();
    wait_until("the token", || hsm.status().phase == Phase::Up);
    round_trip(&hsm, key);
}

fn kill(hsm: &Hsm) {
    for worker in hsm.status().workers {
        let killed = std::process::Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap();
        assert!(killed.success());
    }
}

#[test]
fn a_worker_that_is_killed_under_load_is_started_anew() {
    let bench = bench();
    let hsm = Arc::new(bench.start());
    let (key, _) = make(&hsm, Kind::Aes256);
    let until = Instant::now() + Duration::from_secs(4);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let hsm = Arc::clone(&hsm);
            std::thread::spawn(move || {
                let (mut good, mut bad) = (0_u32, 0_u32);
                while Instant::now() < until {
                    let sealed = hsm.seal(key, rng::array(), b"aad".to_vec(), Secret::new(vec![1; 32]));
                    match block_on(sealed) {
                        Ok(_) => good += 1,
                        Err(CallError::Down(_)) => {
                            bad += 1;
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                (good, bad)
            })
        })
        .collect();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        wait_until("the worker", || hsm.status().phase == Phase::Up);
        kill(&hsm);
    }
    let (good, bad) =
        callers.into_iter().map(|caller| caller.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    assert!(good > 1000 && bad > 0, "{good} {bad}");
    wait_until("the worker", || hsm.status().phase == Phase::Up);
    round_trip(&hsm, key);
    assert_eq!(hsm.status().waiting, 0);
}

#[test]
fn a_crash_of_the_module_ends_one_worker() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    bench.tokens.misbehave("crash Encrypt");
    let sealed = block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![1])));
    assert!(matches!(sealed, Err(CallError::Down(_))), "{:?}", sealed.err());
    bench.tokens.misbehave("");
    round_trip(&hsm, key);
    wait_until("the worker", || hsm.status().up == 2);
    assert_eq!(hsm.status().restarts, 1);
}

#[test]
fn a_module_that_hangs_is_killed_at_the_deadline() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    let (signer, _) = make(&hsm, Kind::EcP256);
    bench.tokens.misbehave("hang Encrypt");
    let began = Instant::now();
    let sealed = std::thread::scope(|scope| {
        let hanging = scope.spawn(|| block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![1]))));
        // Meanwhile the other sessions work.
        for _ in 0..20 {
            block_on(hsm.sign(signer, Algorithm::Ecdsa, vec![1; 32])).unwrap();
        }
        hanging.join().unwrap()
    });
    let took = began.elapsed();
    assert!(matches!(sealed, Err(CallError::Down(_))), "{:?}", sealed.err());
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
    bench.tokens.misbehave("");
    wait_until("the worker", || hsm.status().phase == Phase::Up);
    round_trip(&hsm, key);
}

#[test]
fn a_module_that_forgets_the_session_is_begun_anew() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    bench.tokens.misbehave("forget Encrypt");
    assert!(block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![1]))).is_err());
    bench.tokens.misbehave("");
    wait_until("the next worker", || hsm.status().restarts >= 1 && hsm.status().phase == Phase::Up);
    round_trip(&hsm, key);
}

#[test]
fn nonsense_of_a_module_is_no_answer() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    let (signer, _) = make(&hsm, Kind::EcP256);
    let sealed = block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![1]))).unwrap();
    let before = block_on(hsm.list()).unwrap().len();
    let is_nonsense = |result: Result<(), CallError>| {
        assert!(matches!(result, Err(CallError::Failed(jomae_hsm::wire::Failure::Nonsense(_)))), "{result:?}");
    };
    bench.tokens.misbehave("nonsense Encrypt");
    is_nonsense(block_on(hsm.seal(key, [2; 12], Vec::new(), Secret::new(vec![1]))).map(drop));
    is_nonsense(block_on(hsm.generate(Kind::Aes256, name())).map(drop));
    bench.tokens.misbehave("nonsense Decrypt");
    is_nonsense(block_on(hsm.open(key, [1; 12], Vec::new(), sealed.clone())).map(drop));
    bench.tokens.misbehave("nonsense Sign");
    is_nonsense(block_on(hsm.sign(signer, Algorithm::Ecdsa, vec![1; 32])).map(drop));
    is_nonsense(block_on(hsm.generate(Kind::EcP256, name())).map(drop));
    // A token that refuses everything is not taken for a wrong ciphertext.
    bench.tokens.misbehave("refuse Decrypt");
    let refused = block_on(hsm.open(key, [1; 12], Vec::new(), sealed.clone()));
    assert!(matches!(refused, Err(CallError::Failed(_))), "{:?}", refused.map(|_| ()));
    bench.tokens.misbehave("");
    assert_eq!(block_on(hsm.list()).unwrap().len(), before, "keys that do not work are not kept");
    assert_eq!(block_on(hsm.open(key, [1; 12], Vec::new(), sealed)).unwrap().unwrap().expose(), [1]);
}

#[test]
fn a_success_with_the_wrong_length_is_no_answer() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    let (ec, _) = make(&hsm, Kind::EcP256);
    let (rsa, _) = make(&hsm, Kind::Rsa2048Sign);
    let (hmac, _) = make(&hsm, Kind::HmacSha256);
    let sealed = block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![1]))).unwrap();
    let failed = |result: Result<(), CallError>| assert!(matches!(result, Err(CallError::Failed(_))), "{result:?}");
    for how in ["empty", "shorter"] {
        bench.tokens.misbehave(&format!("{how} Encrypt"));
        failed(block_on(hsm.seal(key, [2; 12], Vec::new(), Secret::new(vec![1]))).map(drop));
        bench.tokens.misbehave(&format!("{how} Sign"));
        failed(block_on(hsm.sign(ec, Algorithm::Ecdsa, vec![1; 32])).map(drop));
        failed(block_on(hsm.sign(rsa, Algorithm::RsaPssSha256, vec![1; 32])).map(drop));
        failed(block_on(hsm.sign(rsa, Algorithm::RsaPkcs1Sha256, vec![1; 32])).map(drop));
        failed(block_on(hsm.mac(hmac, Secret::new(vec![1]))).map(drop));
    }
    bench.tokens.misbehave("empty Decrypt");
    failed(block_on(hsm.open(key, [1; 12], Vec::new(), sealed.clone())).map(drop));
    assert_eq!(hsm.status().restarts, 0);
    // One that claims more than it was given room for has written what it should, or is not believed.
    bench.tokens.misbehave("longer Decrypt");
    if let Ok(opened) = block_on(hsm.open(key, [1; 12], Vec::new(), sealed.clone())) {
        assert_eq!(opened.unwrap().expose(), [1]);
    }
    bench.tokens.misbehave("");
    assert_eq!(block_on(hsm.open(key, [1; 12], Vec::new(), sealed)).unwrap().unwrap().expose(), [1]);
}

#[test]
fn a_length_beyond_all_memory_ends_one_worker_at_once() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    bench.tokens.misbehave("huge Encrypt");
    let began = Instant::now();
    let sealed = block_on(hsm.seal(key, [1; 12], Vec::new(), Secret::new(vec![1])));
    assert!(matches!(sealed, Err(CallError::Down(_))), "{:?}", sealed.err());
    assert!(began.elapsed() < Duration::from_secs(2), "before the deadline");
    bench.tokens.misbehave("");
    wait_until("the worker", || hsm.status().phase == Phase::Up);
    round_trip(&hsm, key);
}

#[test]
fn a_full_token_makes_no_key_and_uses_those_it_has() {
    let bench = bench();
    let hsm = bench.faulty();
    let (key, _) = make(&hsm, Kind::Aes256);
    bench.tokens.misbehave("full GenerateKey");
    let made = block_on(hsm.generate(Kind::Aes256, name()));
    assert!(matches!(made, Err(CallError::Failed(jomae_hsm::wire::Failure::Full))), "{:?}", made.err());
    round_trip(&hsm, key);
    assert_eq!(hsm.status().restarts, 0);
    bench.tokens.misbehave("");
    make(&hsm, Kind::Aes256);
}

#[test]
fn a_locked_pin_is_not_tried_again() {
    let bench = bench();
    let module = bench.tokens.fault_module();
    bench.tokens.misbehave("lock Login");
    let hsm = bench.start_with(settings(&module, PIN));
    let status = hsm.status();
    let (reason, is_final) = why_down(&status);
    assert!(reason.contains("locked") && is_final, "{reason}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(bench.tokens.logins(), 1);
}

#[test]
fn a_wrong_pin_is_told_also_by_a_module_that_hangs_where_it_is_closed() {
    let bench = bench();
    let module = bench.tokens.fault_module();
    bench.tokens.misbehave("hang CloseSession");
    let timeout = Duration::from_secs(2);
    let hsm = bench.start_with(Settings { timeout, ..settings(&module, "1357-wrong") });
    let status = hsm.status();
    let (reason, is_final) = why_down(&status);
    assert!(reason.contains("refuses the PIN") && is_final, "{reason}");
    assert_eq!(bench.tokens.logins(), 1);
}

#[test]
fn a_login_that_hangs_is_killed_and_software_does_not_wait() {
    let bench = bench();
    bench.tokens.misbehave("hang Login");
    let timeout = Duration::from_millis(200);
    let hsm = Hsm::start(Settings { timeout, ..settings(&bench.tokens.fault_module(), PIN) }, launch(&bench.tokens));
    let hsm = hsm.unwrap();
    assert!(matches!(block_on(hsm.list()), Err(CallError::Down(_))), "at once");
    wait_until("the end of the first", || hsm.status().restarts >= 1);
    bench.tokens.misbehave("");
    drop(hsm);
}

#[test]
fn of_two_keys_of_a_label_none_wraps() {
    let bench = bench();
    let hsm = bench.start();
    for _ in 0..2 {
        let name = ObjectName { id: rng::array(), label: "root".to_owned() };
        block_on(hsm.generate(Kind::Aes256, name)).unwrap();
    }
    let wrapped = block_on(hsm.wrap("root", &Key256::random(), "a"));
    let why = wrapped.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(why.contains("several keys have the label \"root\""), "{why}");
}

#[test]
fn a_key_whose_making_nobody_learned_of_is_destroyed() {
    let bench = bench();
    let hsm = bench.faulty();
    // Made, and then the worker hangs in the check.
    bench.tokens.misbehave("hang Encrypt");
    assert!(block_on(hsm.generate(Kind::Aes256, name())).is_err());
    bench.tokens.misbehave("");
    wait_until("the worker", || hsm.status().phase == Phase::Up);
    wait_until("an empty token", || block_on(hsm.list()).is_ok_and(|found| found.is_empty()));
}

#[test]
fn a_module_that_does_not_begin_holds_up_nobody() {
    let bench = bench();
    bench.tokens.misbehave("hang Initialize");
    let timeout = Duration::from_millis(200);
    let hsm = Hsm::start(Settings { timeout, ..settings(&bench.tokens.fault_module(), PIN) }, launch(&bench.tokens));
    let hsm = hsm.unwrap();
    assert!(matches!(block_on(hsm.list()), Err(CallError::Down(_))), "at once");
    wait_until("the end of the first", || hsm.status().restarts >= 1);
    bench.tokens.misbehave("");
    drop(hsm);
}

#[test]
fn no_worker_outlives_its_client() {
    let bench = bench();
    let hsm = bench.start();
    let workers = hsm.status().workers;
    let workers: Vec<String> = workers.iter().map(|worker| format!("/proc/{worker}")).collect();
    assert!(workers.len() == 2 && workers.iter().all(|place| Path::new(place).exists()));
    drop(hsm);
    assert!(!workers.iter().any(|place| Path::new(place).exists()));
}

#[test]
fn nothing_secret_is_on_the_command_line_or_in_the_environment() {
    let bench = bench();
    let hsm = bench.start();
    let worker = hsm.status().workers[0];
    for file in ["cmdline", "environ"] {
        let shown = std::fs::read(format!("/proc/{worker}/{file}")).unwrap();
        assert!(!shown.windows(PIN.len()).any(|window| window == PIN.as_bytes()), "{file}");
    }
}
