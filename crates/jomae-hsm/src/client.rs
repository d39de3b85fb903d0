//! The client: calls that wait for the worker's answers.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use jomae_crypto::{purpose::Purpose, rng, secret::Key256};

use crate::{
    kind::{Algorithm, Kind},
    link::{Shared, Token, let_others},
    sending::Flush,
    supervisor,
    wire::{Answer, Failure, KEY_ID_BYTES, KeyRef, ObjectInfo, Request, Secret, TokenFacts},
};

/// How long a start that has one worker waits for each other one.
const OTHERS: Duration = Duration::from_secs(2);
/// What wrapped secrets begin with.
const WRAP_FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Which token, and how it is used.
pub struct Settings {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The label of the token.
    pub token_label: String,
    /// Its serial number, if that is known; else that of the first one found counts from then on.
    pub token_serial: Option<String>,
    /// Calls at once, at all workers together.
    pub sessions: u16,
    /// Processes that load the module; no more than there are sessions.
    pub workers: u16,
    /// How long a call may take; the making of a key six times as long.
    pub timeout: Duration,
    /// Where the PIN comes from; a function that reads it is one.
    pub pin: Box<dyn PinSource>,
}

/// Where the PIN comes from, and who remembers what became of it. Asked at each start of a worker, for one of them at a time.
pub trait PinSource: Send + Sync {
    /// The PIN, which is tried. `is_asked_for`: an operator has just said so, whatever became of it before.
    ///
    /// # Errors
    /// There is none to be tried.
    fn read(&self, is_asked_for: bool) -> Result<Pin, NoPin>;

    /// The token has taken the PIN that was read last.
    fn taken(&self) {}

    /// The token has refused it, or may have.
    fn refused(&self) {}
}

/// A PIN to be tried.
pub struct Pin {
    /// The PIN.
    pub secret: Secret,
    /// Whether it was tried before and nobody has heard what the token said: it is not tried if the last one that the token was given is
    /// wrong.
    pub is_doubtful: bool,
}

/// Why there is no PIN; one line.
#[derive(Debug)]
pub enum NoPin {
    /// It cannot be read now.
    Unreadable(String),
    /// It was refused, and is to be tried when an operator says so.
    Refused(String),
}

impl<F: Fn() -> Result<Secret, String> + Send + Sync> PinSource for F {
    fn read(&self, _: bool) -> Result<Pin, NoPin> {
        self().map(|secret| Pin { secret, is_doubtful: false }).map_err(NoPin::Unreadable)
    }
}

/// How the worker is started. Its standard input is the socket.
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; nothing secret.
    pub args: Vec<OsString>,
    /// Variables that it has beside those that it inherits; nothing secret. A module may find its configuration by one.
    pub env: Vec<(OsString, OsString)>,
    /// Variables that it must not inherit.
    pub without: Vec<OsString>,
}

/// Where the client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No worker has said yet what it found.
    Starting,
    /// Calls are answered.
    Up,
    /// No calls; why, and whether only [`Hsm::reload`] mends it.
    Down {
        /// One line.
        reason: String,
        /// A refused PIN is not tried again by itself.
        is_final: bool,
    },
}

/// What is known of client and token.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// Of the token, once it has been found.
    pub facts: Option<TokenFacts>,
    /// Workers started in place of others.
    pub restarts: u64,
    /// Calls answered.
    pub calls: u64,
    /// Calls that failed, refused ones included.
    pub errors: u64,
    /// Calls that wait for an answer.
    pub waiting: usize,
    /// All calls together have taken, in microseconds.
    pub busy_micros: u64,
    /// The process ids of the workers.
    pub workers: Vec<u32>,
    /// How many of them take calls.
    pub up: usize,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no worker now; why.
    #[error("the token is not available: {0}")]
    Down(String),
    /// Too many calls wait already.
    #[error("too many calls wait for the token")]
    Crowded,
    /// The token's answer to this call.
    #[error("the token: {0}")]
    Failed(#[from] Failure),
    /// What was to be unwrapped does not open.
    #[error("it does not open under the key in the token")]
    Unreadable,
    /// A message that cannot be: longer than any may be, or an answer to another question.
    #[error("a message that cannot be")]
    Message,
}

/// A new object: which it is, and the label by which an operator finds it.
pub struct ObjectName {
    /// Drawn anew for each object.
    pub id: [u8; KEY_ID_BYTES],
    /// Such as `jomae:<account>:<key>:<version>`.
    pub label: String,
}

/// A token, through its workers.
pub struct Hsm {
    token: Arc<Token>,
    first: Arc<Shared>,
    others: Vec<Arc<Shared>>,
    supervisors: Mutex<Vec<JoinHandle<()>>>,
}

impl Hsm {
    /// Begins to start the workers. They are up when [`Hsm::settled`] says so.
    pub fn start(settings: Settings, launch: Launch) -> io::Result<Self> {
        let token = Arc::new(Token::new(settings, launch));
        let others = (1..token.workers()).map(|_| Arc::new(Shared::new(Arc::clone(&token), false))).collect();
        let first = Arc::new(Shared::new(Arc::clone(&token), true));
        let hsm = Self { token, first, others, supervisors: Mutex::default() };
        for link in hsm.links() {
            let supervised = Arc::clone(link);
            // What has been started ends with the value.
            let supervisor =
                std::thread::Builder::new().name("hsm".to_owned()).spawn(move || supervisor::run(&supervised))?;
            hsm.supervisors.lock().unwrap_or_else(PoisonError::into_inner).push(supervisor);
        }
        Ok(hsm)
    }

    fn links(&self) -> impl Iterator<Item = &Arc<Shared>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The worker that is to take a call: the one with the fewest.
    fn least(&self) -> &Arc<Shared> {
        self.others.iter().fold(&self.first, |least, other| if other.load() < least.load() { other } else { least })
    }

    /// Waits until the workers are up or have failed, at most for `within`: for the first one. When that is up, the others have
    /// two seconds of it: a token may let in one process at a time. Blocks.
    pub fn settled(&self, within: Duration) -> Status {
        let mut until = Instant::now() + within;
        for link in self.links() {
            let mut state = link.lock();
            while state.phase == Phase::Starting {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = link.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            // The others begin when the first has found the token.
            if state.phase != Phase::Up {
                break;
            }
            until = until.min(Instant::now() + OTHERS);
        }
        self.status()
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        let mut status = Status {
            phase: self.first.lock().phase.clone(),
            facts: self.token.known().facts.clone(),
            restarts: 0,
            calls: 0,
            errors: 0,
            waiting: 0,
            busy_micros: 0,
            workers: Vec::new(),
            up: 0,
        };
        for link in self.links() {
            status.restarts += link.restarts.load(Ordering::Relaxed);
            status.calls += link.calls.load(Ordering::Relaxed);
            status.errors += link.errors.load(Ordering::Relaxed);
            status.busy_micros += link.busy_micros.load(Ordering::Relaxed);
            let state = link.lock();
            status.waiting += state.waiting.len();
            status.workers.extend(state.worker);
            if state.phase == Phase::Up {
                status.up += 1;
                status.phase = Phase::Up;
            }
        }
        status
    }

    /// The token in use, if it has been found: the answer does not change while the process lives.
    pub fn facts(&self) -> Result<TokenFacts, CallError> {
        if let Some(facts) = &self.token.known().facts {
            return Ok(facts.clone());
        }
        match &self.first.lock().phase {
            Phase::Down { reason, .. } => Err(self.token.refuse(reason)),
            _ => Err(self.token.refuse("it is being started")),
        }
    }

    /// Holds the token to be the one with this serial number. If another one is in use, it is used no more.
    pub fn expect_serial(&self, serial: &str) {
        let mut known = self.token.known();
        known.serial = Some(serial.to_owned());
        if known.facts.as_ref().is_none_or(|facts| facts.serial == serial) {
            return;
        }
        known.facts = None;
        drop(known);
        for link in self.links() {
            let mut state = link.lock();
            // One that starts hears of it when it has started.
            if state.phase != Phase::Up {
                continue;
            }
            link.leave(&mut state, Phase::Starting);
            state.ended = Some("another token is meant".to_owned());
            link.changed.notify_all();
            link.to_send.notify_all();
        }
    }

    /// Whether the token, once it has been found, makes and uses keys of this kind; with `imported`, of material that was
    /// made elsewhere.
    pub fn serves(&self, kind: Kind, imported: bool) -> Result<bool, CallError> {
        let facts = self.facts()?;
        Ok(if imported { facts.importable.contains(&kind) } else { facts.kinds.contains(&kind) })
    }

    /// Starts workers that are down anew, with the PIN as it is now.
    pub fn reload(&self) {
        let mut known = self.token.known();
        known.refused = None;
        known.may_try_pin = true;
        known.is_pin_asked_for = true;
        drop(known);
        for link in self.links() {
            let mut state = link.lock();
            state.reload = true;
            link.changed.notify_all();
        }
    }

    /// Ends the workers, and waits until they have ended. One that starts is not ended before it has: it is waited for up to 10 s,
    /// and then left alone, to end by itself.
    pub fn stop(&self) {
        for link in self.links() {
            let mut state = link.lock();
            state.stop = true;
            link.changed.notify_all();
        }
        self.token.known().stop = true;
        self.token.learned.notify_all();
        let supervisors = std::mem::take(&mut *self.supervisors.lock().unwrap_or_else(PoisonError::into_inner));
        for supervisor in supervisors {
            let _its_panic_was_told = supervisor.join();
        }
    }

    async fn call(&self, request: Request, makes: Option<KeyRef>) -> Result<Answer, CallError> {
        call(self.least(), request, makes).await
    }

    /// Makes a key that never leaves the token; gives the public half of a pair.
    pub async fn generate(&self, kind: Kind, name: ObjectName) -> Result<Option<Vec<u8>>, CallError> {
        let key = KeyRef { kind, id: name.id };
        match self.call(Request::Generate { key, label: name.label }, Some(key)).await? {
            Answer::Made { public } => Ok(public),
            _ => Err(CallError::Message),
        }
    }

    /// Brings in material that has been checked to be of the kind: raw bytes, or PKCS#8 with its public key.
    pub async fn import(
        &self,
        kind: Kind,
        name: ObjectName,
        material: Secret,
        public: Option<Vec<u8>>,
    ) -> Result<(), CallError> {
        let key = KeyRef { kind, id: name.id };
        match self.call(Request::Import { key, label: name.label, material, public }, Some(key)).await? {
            Answer::Made { .. } => Ok(()),
            _ => Err(CallError::Message),
        }
    }

    /// Whether the key is in the token.
    pub async fn find(&self, key: KeyRef) -> Result<bool, CallError> {
        match self.call(Request::Find { key }, None).await? {
            Answer::Found(found) => Ok(found),
            _ => Err(CallError::Message),
        }
    }

    /// AES-GCM; the tag is the last 16 bytes. The nonce is never used for another message under this key.
    pub async fn seal(
        &self,
        key: KeyRef,
        nonce: [u8; 12],
        aad: Vec<u8>,
        plaintext: Secret,
    ) -> Result<Vec<u8>, CallError> {
        match self.call(Request::Seal { key, nonce, aad, plaintext }, None).await? {
            Answer::Bytes(sealed) => Ok(sealed),
            _ => Err(CallError::Message),
        }
    }

    /// The inverse; none if it does not open.
    pub async fn open(
        &self,
        key: KeyRef,
        nonce: [u8; 12],
        aad: Vec<u8>,
        ciphertext: Vec<u8>,
    ) -> Result<Option<Secret>, CallError> {
        opened(self.call(Request::Open { key, nonce, aad, ciphertext }, None).await?)
    }

    /// A signature in the form of jomae-crypto, over a digest or a message.
    pub async fn sign(&self, key: KeyRef, algorithm: Algorithm, input: Vec<u8>) -> Result<Vec<u8>, CallError> {
        match self.call(Request::Sign { key, algorithm, input }, None).await? {
            Answer::Bytes(signature) => Ok(signature),
            _ => Err(CallError::Message),
        }
    }

    /// Public-key decryption; none if it does not decrypt.
    pub async fn decrypt(
        &self,
        key: KeyRef,
        algorithm: Algorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Option<Secret>, CallError> {
        opened(self.call(Request::Decrypt { key, algorithm, ciphertext }, None).await?)
    }

    /// A MAC over a message.
    pub async fn mac(&self, key: KeyRef, message: Secret) -> Result<Vec<u8>, CallError> {
        match self.call(Request::Mac { key, message }, None).await? {
            Answer::Bytes(mac) => Ok(mac),
            _ => Err(CallError::Message),
        }
    }

    /// Destroys a key; when this returns, the token does not find it any more. One that is not there is destroyed.
    pub async fn destroy(&self, key: KeyRef) -> Result<(), CallError> {
        let chosen = self.least();
        let others = self.links().filter(|link| !Arc::ptr_eq(link, chosen));
        // The others have it in memory, perhaps. One that is down has none.
        for (link, is_chosen) in std::iter::once((chosen, true)).chain(others.map(|link| (link, false))) {
            match call(link, Request::Destroy { key }, None).await {
                Ok(Answer::Done) => {}
                Err(CallError::Down(_)) if !is_chosen => {}
                Ok(_) => return Err(CallError::Message),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Destroys a key that was made for nothing, when there is a worker to do it.
    pub fn discard(&self, key: KeyRef) {
        let link = self.least();
        let mut state = link.lock();
        state.doubtful.push(key);
        link.destroy_doubtful(&mut state);
    }

    /// All objects whose labels begin with `jomae:`.
    pub async fn list(&self) -> Result<Vec<ObjectInfo>, CallError> {
        let mut all = Vec::new();
        loop {
            let skip = u32::try_from(all.len()).map_err(|_| CallError::Message)?;
            match self.call(Request::List { skip }, None).await? {
                Answer::Objects(page) if page.is_empty() => return Ok(all),
                Answer::Objects(page) => all.extend(page),
                _ => return Err(CallError::Message),
            }
        }
    }

    /// The AES-256 key of the token with this label. Made if it is not there and `make` says so.
    pub async fn wrapping_key(&self, label: &str, make: bool) -> Result<Option<KeyRef>, CallError> {
        match self.call(Request::Named { label: label.to_owned(), make }, None).await? {
            Answer::Named(id) => Ok(id.map(|id| KeyRef { kind: Kind::Aes256, id })),
            _ => Err(CallError::Message),
        }
    }

    async fn existing(&self, label: &str) -> Result<KeyRef, CallError> {
        self.wrapping_key(label, false).await?.ok_or(CallError::Failed(Failure::NoSuchKey))
    }

    /// Wraps 32 bytes under the key of the token with this label, which must be there, bound to `name`.
    ///
    /// The result is `0x01`, a random nonce of 12 bytes, and AES-256-GCM of the secret with its tag; AAD is the label of
    /// [`Purpose::TokenWrap`], a zero byte and the name. As nonces are random, one key is for 2^32 secrets at most.
    pub async fn wrap(&self, key_label: &str, secret: &Key256, name: &str) -> Result<Vec<u8>, CallError> {
        let key = self.existing(key_label).await?;
        let nonce: [u8; NONCE_BYTES] = rng::public_array();
        let sealed = self.seal(key, nonce, wrap_aad(name), Secret::new(secret.expose().to_vec())).await?;
        Ok([&[WRAP_FORMAT][..], &nonce, &sealed].concat())
    }

    /// The inverse of [`Hsm::wrap`].
    pub async fn unwrap(&self, key_label: &str, wrapped: &[u8], name: &str) -> Result<Key256, CallError> {
        let Some((&WRAP_FORMAT, rest)) = wrapped.split_first() else { return Err(CallError::Unreadable) };
        let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE_BYTES>() else { return Err(CallError::Unreadable) };
        if sealed.len() != 32 + TAG_BYTES {
            return Err(CallError::Unreadable);
        }
        let key = self.existing(key_label).await?;
        let secret = self.open(key, *nonce, wrap_aad(name), sealed.to_vec()).await?.ok_or(CallError::Unreadable)?;
        Key256::from_slice(secret.expose()).ok_or(CallError::Message)
    }
}

async fn call(link: &Arc<Shared>, request: Request, makes: Option<KeyRef>) -> Result<Answer, CallError> {
    let (answer, answered) = oneshot::channel();
    let flush = {
        let mut state = link.lock();
        link.enqueue(&mut state, &request, answer, makes)?;
        (!std::mem::replace(&mut state.sending.flush_is_near, true)).then(|| Flush(link))
    };
    drop(request);
    if let Some(flush) = flush {
        // Whoever is about to call has done so when this one has its turn again: one message takes all to the worker.
        let_others().await;
        drop(flush);
    }
    let reply = answered.await.map_err(|_| CallError::Down("it was stopped".to_owned()))?;
    drop(reply.others);
    reply.result
}

fn wrap_aad(name: &str) -> Vec<u8> {
    [Purpose::TokenWrap.label().as_bytes(), b"\0", name.as_bytes()].concat()
}

fn opened(answer: Answer) -> Result<Option<Secret>, CallError> {
    match answer {
        Answer::Opened(secret) => Ok(Some(secret)),
        Answer::Unreadable => Ok(None),
        _ => Err(CallError::Message),
    }
}

impl Drop for Hsm {
    fn drop(&mut self) {
        self.stop();
    }
}
