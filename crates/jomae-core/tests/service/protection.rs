//! Keys whose material is elsewhere than in the store: what is made there without a record is destroyed, and what had one
//! is destroyed when the record is gone.

use std::{
    collections::BTreeSet,
    future::pending,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use jomae_api::{
    names::AccountId,
    param::EncryptionContext,
    sign::client::SignedRequest,
    spec::{Algorithm, KeySpec, KeyUsage},
    time::Timestamp,
    wire::{Header, Request},
};
use jomae_core::{
    backend::{
        BadMaterial, KeyBackend, KeyBlob, KeyHandle, Levels, NewKey, Unclaimed, Unreadable, software::SoftwareBackend,
    },
    error::{Error, Fault},
    keyring::Keyring,
    lane::Lane,
    record::path,
    service::{Arrival, Reply},
    shares::COSTLY_NS,
    shares::Meter,
    store::memory::MemoryStore,
    wait::{Abandonment, Inline, Work},
};
use jomae_crypto::{
    envelope::{Binding, Content},
    secret::SecretBytes,
};
use jomae_sim::{block_on, faults::CommitFault};

use crate::common::{DAY, HELLO, Root, World};

/// What a token does, in memory: it knows which keys are in it.
#[derive(Clone)]
struct Token {
    keys: Arc<SoftwareBackend>,
    there: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    is_down: Arc<AtomicBool>,
    /// Whether it has no answer for whoever wants to encrypt.
    hangs: Arc<AtomicBool>,
}

impl Token {
    fn new() -> Self {
        let keyring = Arc::new(block_on(Keyring::open(&MemoryStore::new(), &Root::fixed())).unwrap());
        Self {
            keys: Arc::new(SoftwareBackend::new(keyring, Arc::new(Inline))),
            there: Arc::default(),
            is_down: Arc::default(),
            hangs: Arc::default(),
        }
    }

    fn in_world(&self, world: &mut World) {
        let keyring = Arc::new(block_on(Keyring::open(&*world.store, &Root::fixed())).unwrap());
        let software = SoftwareBackend::new(keyring, Arc::new(Inline));
        world.service.kms.backends = Levels::software(software).with_hsm(Box::new(self.clone()));
    }

    fn len(&self) -> usize {
        self.there.lock().unwrap().len()
    }

    fn expect_up(&self) -> Result<(), Fault> {
        if self.is_down.load(Ordering::SeqCst) { Err(Fault::unavailable("the token is away")) } else { Ok(()) }
    }

    fn keep(&self, mut made: NewKey) -> NewKey {
        let (there, blob) = (Arc::clone(&self.there), made.blob.0.clone());
        there.lock().unwrap().insert(blob.clone());
        made.unclaimed = Some(Unclaimed::new(move || assert!(there.lock().unwrap().remove(&blob))));
        made
    }
}

impl KeyBackend for Token {
    fn supports(&self, spec: KeySpec, _: KeyUsage, _: bool) -> Result<bool, Fault> {
        self.expect_up()?;
        Ok(spec != KeySpec::AliyunSm4)
    }

    fn generate(&self, spec: KeySpec, binding: &Binding<'_>, account: &AccountId) -> Work<'_, Result<NewKey, Error>> {
        if let Err(fault) = self.expect_up() {
            return Work::Done(Err(fault.into()));
        }
        if self.hangs.load(Ordering::SeqCst) {
            return Work::Later(Box::pin(pending()));
        }
        Work::Done(block_on(self.keys.generate(spec, binding, account).wait()).map(|made| self.keep(made)))
    }

    fn import(
        &self,
        spec: KeySpec,
        material: &SecretBytes,
        binding: &Binding<'_>,
    ) -> Work<'_, Result<Result<NewKey, BadMaterial>, Fault>> {
        let made = block_on(self.keys.import(spec, material, binding).wait());
        Work::Done(made.map(|made| made.map(|made| self.keep(made))))
    }

    fn destroy(&self, blob: &KeyBlob, _: &Binding<'_>) -> Work<'_, Result<(), Fault>> {
        let up = self.expect_up();
        if up.is_ok() {
            self.there.lock().unwrap().remove(&blob.0);
        }
        Work::Done(up)
    }

    fn load(&self, spec: KeySpec, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<KeyHandle, Fault>> {
        self.keys.load(spec, blob, binding)
    }

    fn encrypt(
        &self,
        spec: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        kind: Content,
        plaintext: &SecretBytes,
    ) -> Work<'_, Result<Vec<u8>, Fault>> {
        match self.expect_up() {
            Ok(()) if self.hangs.load(Ordering::SeqCst) => Work::Later(Box::pin(pending())),
            Ok(()) => self.keys.encrypt(spec, key, binding, context, kind, plaintext),
            Err(fault) => Work::Done(Err(fault)),
        }
    }

    fn decrypt(
        &self,
        spec: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Fault>> {
        self.keys.decrypt(spec, key, binding, context, ciphertext)
    }

    fn private_decrypt(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        ciphertext: &[u8],
        account: &AccountId,
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Error>> {
        self.keys.private_decrypt(key, algorithm, ciphertext, account)
    }

    fn sign(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        digest: &[u8],
        account: &AccountId,
    ) -> Work<'_, Result<Vec<u8>, Error>> {
        self.keys.sign(key, algorithm, digest, account)
    }

    fn mac(&self, key: &KeyHandle, algorithm: Algorithm, message: &[u8]) -> Work<'_, Result<Vec<u8>, Fault>> {
        self.keys.mac(key, algorithm, message)
    }
}

const HSM: (&str, &str) = ("ProtectionLevel", "HSM");
const UNAVAILABLE: &str = "503 ServiceUnavailableTemporary";

fn world() -> (World, Token) {
    let (mut world, token) = (World::new(), Token::new());
    token.in_world(&mut world);
    (world, token)
}

fn discarded(world: &World) -> usize {
    world.service.kms.vault.reading().paths(path::DISCARDED, None, 100).unwrap().len()
}

#[test]
fn a_key_that_is_destroyed_is_destroyed_in_the_token_with_all_its_versions() {
    let (world, token) = world();
    let alice = world.alice();
    let key = alice.key(&[HSM]);
    let bystander = alice.key(&[HSM]);
    for _ in 0..60 {
        alice.ok("CreateKeyVersion", &[("KeyId", &key)]);
    }
    assert_eq!(token.len(), 62);
    alice.done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")]);
    world.advance(7 * DAY - 1);
    world.work();
    assert_eq!(token.len(), 62, "not before its day");
    world.advance(1);
    world.work();
    assert_eq!((token.len(), discarded(&world)), (1, 0));
    alice.ok("Encrypt", &[("KeyId", &bystander), ("Plaintext", HELLO)]);
}

#[test]
fn a_token_that_is_away_holds_up_no_deletion_and_catches_up() {
    let (world, token) = world();
    let alice = world.alice();
    let key = alice.key(&[HSM]);
    alice.done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")]);
    token.is_down.store(true, Ordering::SeqCst);
    world.advance(7 * DAY);
    world.work();
    alice.refused("DescribeKey", &[("KeyId", &key)], "404 Forbidden.KeyNotFound");
    assert_eq!((token.len(), discarded(&world)), (1, 1));
    assert_eq!(world.work(), 0, "and nothing turns for it");
    token.is_down.store(false, Ordering::SeqCst);
    assert_eq!(world.work(), 1);
    assert_eq!((token.len(), discarded(&world)), (0, 0));
}

#[test]
fn what_was_made_and_certainly_not_committed_is_destroyed_and_nothing_else() {
    let (world, token) = world();
    let alice = world.alice();
    // Somebody else was faster: the call decides again, and makes another one.
    world.store.faults().script_commits([Some(CommitFault::Conflict)]);
    let key = alice.key(&[HSM]);
    assert_eq!(token.len(), 1);
    alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
    // Nobody knows whether it was done: it stays, as its record may be there.
    world.store.faults().script_commits([Some(CommitFault::UnknownWithEffect)]);
    alice.refused("CreateKey", &[HSM], UNAVAILABLE);
    assert_eq!(token.len(), 2);
    let listed = alice.ok("ListKeys", &[]);
    for row in listed["Keys"]["Key"].as_array().unwrap() {
        alice.ok("Encrypt", &[("KeyId", row["KeyId"].as_str().unwrap()), ("Plaintext", HELLO)]);
    }
}

#[test]
fn a_token_that_is_away_is_unavailable_for_its_keys_alone() {
    let (world, token) = world();
    let alice = world.alice();
    let (key, software) = (alice.key(&[HSM]), alice.key(&[]));
    assert_eq!(alice.describe(&key)["ProtectionLevel"], "HSM");
    alice.refused("CreateKey", &[HSM, ("KeySpec", "Aliyun_SM4")], "400 Unsupported.ProtectionLevel");
    token.is_down.store(true, Ordering::SeqCst);
    alice.refused("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)], UNAVAILABLE);
    alice.refused("CreateKey", &[HSM], UNAVAILABLE);
    alice.ok("Encrypt", &[("KeyId", &software), ("Plaintext", HELLO)]);
    alice.key(&[]);
    // A rotation that is due waits.
    token.is_down.store(false, Ordering::SeqCst);
    let rotating = alice.key(&[HSM, ("EnableAutomaticRotation", "true"), ("RotationInterval", "7d")]);
    let before = alice.describe(&rotating)["PrimaryKeyVersion"].clone();
    token.is_down.store(true, Ordering::SeqCst);
    world.advance(7 * DAY);
    let _told = block_on(world.service.do_token_work(Timestamp(world.now()))).unwrap_err();
    assert_eq!(alice.describe(&rotating)["PrimaryKeyVersion"], before);
    token.is_down.store(false, Ordering::SeqCst);
    world.advance(60);
    world.work();
    assert_ne!(alice.describe(&rotating)["PrimaryKeyVersion"], before);
}

#[test]
fn a_token_that_hangs_holds_up_no_other_due_work() {
    let (world, token) = world();
    let alice = world.alice();
    let rotating = alice.key(&[HSM, ("EnableAutomaticRotation", "true"), ("RotationInterval", "7d")]);
    let destroyed = alice.key(&[]);
    alice.done("ScheduleKeyDeletion", &[("KeyId", &destroyed), ("PendingWindowInDays", "7")]);
    let before = alice.describe(&rotating)["PrimaryKeyVersion"].clone();
    world.advance(7 * DAY);
    let now = Timestamp(world.now());
    token.hangs.store(true, Ordering::SeqCst);
    {
        let mut rotation = pin!(world.service.do_token_work(now));
        assert!(rotation.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(block_on(world.service.do_due_work(now)).unwrap(), 1);
        alice.refused("DescribeKey", &[("KeyId", &destroyed)], "404 Forbidden.KeyNotFound");
        assert_eq!(block_on(world.service.do_due_work(now)).unwrap(), 0, "the rotation is not its work");
    }
    token.hangs.store(false, Ordering::SeqCst);
    world.work();
    assert_ne!(alice.describe(&rotating)["PrimaryKeyVersion"], before);
}

/// Answers a request that is said to have cost so many nanoseconds.
async fn answer(world: &World, signed: SignedRequest, cost_ns: u64) -> Reply {
    let headers: Vec<_> = signed.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    let request = Request { method: "POST", path: "/", query: &signed.query, headers: &headers, body: &signed.body };
    let (now, abandonment, meter) = (Timestamp(world.now()), &Abandonment::default(), Meter::default());
    meter.add(cost_ns);
    world
        .service
        .answer(
            &request,
            Arrival {
                source_ip: "198.51.100.7",
                now,
                steady_ns: 0,
                abandonment,
                lane: &Lane::default(),
                meter: &meter,
            },
        )
        .await
}

/// A call that waits for the token keeps no thread busy, whatever the account's calls have cost before.
#[test]
fn a_costly_call_with_a_software_key_does_not_wait_for_one_that_waits_for_the_token() {
    let (world, token) = world();
    let alice = world.alice();
    let (key, software) = (alice.key(&[HSM]), alice.key(&[]));
    let encrypt = |key: &str, nonce: &str| alice.signed("Encrypt", &[("KeyId", key), ("Plaintext", HELLO)], nonce);
    block_on(answer(&world, encrypt(&software, "costly"), 100 * u64::from(COSTLY_NS)));
    token.hangs.store(true, Ordering::SeqCst);
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiting = pin!(answer(&world, encrypt(&key, "in the token"), 0));
    for _ in 0..2 {
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    }
    let mut other = pin!(answer(&world, encrypt(&software, "software"), 0));
    // It waits once, to be moved to the threads for costly calls.
    assert!(other.as_mut().poll(&mut cx).is_pending());
    let Poll::Ready(reply) = other.as_mut().poll(&mut cx) else { panic!("it waits for the token") };
    assert_eq!(reply.status, 200);
}
