//! Worker and client with another module than SoftHSM: Kryoptic, which has other mechanisms, errors and habits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::time::Duration;

use jomae_crypto::{
    asym::{self, AsymSpec, EncAlg, PrivateKey, SignAlg},
    mac::{MacAlg, mac},
    rng,
    secret::Key256,
};
use jomae_hsm::{Algorithm, CallError, Hsm, KeyRef, Kind, Launch, ObjectName, Phase, Secret, Settings};
use jomae_sim::{block_on, kryoptic::Token, softhsm::PIN};
use tempfile::TempDir;

const LABEL: &str = "jomae test";
const WORKER: &str = env!("CARGO_BIN_EXE_jomae-hsm-worker");

struct Bench {
    _dir: TempDir,
    token: Token,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::new(&dir.path().join("token"), LABEL);
        Self { _dir: dir, token }
    }

    fn start(&self, pin: &'static str) -> Hsm {
        let settings = Settings {
            module: self.token.module().to_owned(),
            token_label: LABEL.to_owned(),
            token_serial: None,
            sessions: 4,
            workers: 2,
            timeout: Duration::from_secs(10),
            pin: Box::new(move || Ok(Secret::new(pin.into()))),
        };
        let launch = Launch { program: WORKER.into(), args: Vec::new(), env: self.token.env(), without: Vec::new() };
        let hsm = Hsm::start(settings, launch).unwrap();
        hsm.settled(Duration::from_mins(1));
        hsm
    }

    fn up(&self) -> Hsm {
        let hsm = self.start(PIN);
        assert_eq!(hsm.status().phase, Phase::Up);
        hsm
    }
}

fn make(hsm: &Hsm, kind: Kind) -> (KeyRef, Option<Vec<u8>>) {
    let name = ObjectName { id: rng::array(), label: "jomae:1:key:version".to_owned() };
    let key = KeyRef { kind, id: name.id };
    (key, block_on(hsm.generate(kind, name)).unwrap())
}

#[test]
fn it_serves_what_softhsm_does_not() {
    let bench = Bench::new();
    let hsm = bench.up();
    let facts = hsm.status().facts.unwrap();
    for kind in [
        Kind::Aes128,
        Kind::Aes256,
        Kind::Rsa2048Sign,
        Kind::Rsa2048Decrypt,
        Kind::EcP256,
        Kind::EcP384,
        Kind::EcP521,
        Kind::HmacSha256,
        Kind::HmacSha512,
    ] {
        assert!(facts.kinds.contains(&kind) && facts.importable.contains(&kind), "{kind:?}: {facts:?}");
    }
    assert!(!facts.kinds.contains(&Kind::EcP256K), "it has no such curve");
}

#[test]
fn rsa_decrypts_with_both_hashes() {
    let bench = Bench::new();
    let hsm = bench.up();
    let pair = PrivateKey::generate(AsymSpec::Rsa2048).unwrap();
    let name = ObjectName { id: rng::array(), label: "jomae:1:key:imported".to_owned() };
    let imported = (KeyRef { kind: Kind::Rsa2048Decrypt, id: name.id }, pair.public_spki());
    let pkcs8 = Secret::new(pair.to_pkcs8().unwrap().expose().to_vec());
    block_on(hsm.import(Kind::Rsa2048Decrypt, name, pkcs8, Some(imported.1.clone()))).unwrap();
    let (made, public) = make(&hsm, Kind::Rsa2048Decrypt);
    for (key, public) in [imported, (made, public.unwrap())] {
        for (algorithm, same) in
            [(Algorithm::RsaesOaepSha1, EncAlg::RsaesOaepSha1), (Algorithm::RsaesOaepSha256, EncAlg::RsaesOaepSha256)]
        {
            for plaintext in [&b""[..], b"short", &[7; 190]] {
                let mut sealed = asym::encrypt(AsymSpec::Rsa2048, same, &public, plaintext).unwrap();
                let opened = block_on(hsm.decrypt(key, algorithm, sealed.clone())).unwrap().unwrap();
                assert_eq!(opened.expose(), plaintext);
                sealed[100] ^= 1;
                assert!(block_on(hsm.decrypt(key, algorithm, sealed)).unwrap().is_none());
            }
        }
    }
    assert_eq!(hsm.status().restarts, 0);
}

#[test]
fn signatures_and_macs_are_those_of_others() {
    let bench = Bench::new();
    let hsm = bench.up();
    for (kind, algorithm, same) in [
        (Kind::Rsa2048Sign, Algorithm::RsaPssSha256, SignAlg::RsaPssSha256),
        (Kind::Rsa2048Sign, Algorithm::RsaPkcs1Sha256, SignAlg::RsaPkcs1Sha256),
        (Kind::EcP256, Algorithm::Ecdsa, SignAlg::EcdsaSha256),
        (Kind::EcP384, Algorithm::Ecdsa, SignAlg::EcdsaSha384),
        (Kind::EcP521, Algorithm::Ecdsa, SignAlg::EcdsaSha512),
    ] {
        let (key, public) = make(&hsm, kind);
        let public = public.unwrap();
        let digest = vec![0x11; same.digest_bytes().unwrap()];
        let signature = block_on(hsm.sign(key, algorithm, digest.clone())).unwrap();
        let spec = asym::spec_of_spki(&public).unwrap();
        assert!(asym::verify(spec, same, &public, &digest, &signature), "{kind:?}");
    }
    let name = ObjectName { id: rng::array(), label: "jomae:1:key:mac".to_owned() };
    let key = KeyRef { kind: Kind::HmacSha256, id: name.id };
    block_on(hsm.import(key.kind, name, Secret::new(vec![7; 32]), None)).unwrap();
    let in_token = block_on(hsm.mac(key, Secret::new(b"message".to_vec()))).unwrap();
    assert_eq!(in_token, mac(MacAlg::Sha256, &[7; 32], b"message").to_vec());
}

#[test]
fn aes_opens_what_it_sealed_over_a_restart_until_it_is_destroyed() {
    let bench = Bench::new();
    let hsm = bench.up();
    let (key, _) = make(&hsm, Kind::Aes256);
    let sealed = block_on(hsm.seal(key, [1; 12], b"aad".to_vec(), Secret::new(vec![9; 32]))).unwrap();
    let secret = Key256::random();
    block_on(hsm.wrapping_key("root", true)).unwrap().unwrap();
    let wrapped = block_on(hsm.wrap("root", &secret, "a")).unwrap();
    drop(hsm);
    let hsm = bench.up();
    let open = |aad: &[u8], sealed: &[u8]| block_on(hsm.open(key, [1; 12], aad.to_vec(), sealed.to_vec()));
    assert_eq!(open(b"aad", &sealed).unwrap().unwrap().expose(), [9; 32]);
    assert!(open(b"dad", &sealed).unwrap().is_none());
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(open(b"aad", &damaged).unwrap().is_none(), "{at}");
    }
    assert_eq!(block_on(hsm.unwrap("root", &wrapped, "a")).unwrap().expose(), secret.expose());
    assert!(matches!(block_on(hsm.unwrap("root", &wrapped, "b")), Err(CallError::Unreadable)));
    assert_eq!(block_on(hsm.list()).unwrap().len(), 1);
    block_on(hsm.destroy(key)).unwrap();
    assert!(!block_on(hsm.find(key)).unwrap());
    assert!(open(b"aad", &sealed).is_err());
    assert_eq!(hsm.status().restarts, 0);
}

#[test]
fn a_wrong_pin_is_final() {
    let bench = Bench::new();
    let hsm = bench.start("1357-wrong");
    let Phase::Down { reason, is_final } = hsm.status().phase else { panic!("{:?}", hsm.status().phase) };
    assert!(reason.contains("refuses the PIN") && is_final, "{reason}");
}
