//! The worker process: loads the module, opens sessions, answers requests that come through its standard input, which is a
//! socket. It ends when that closes, and when the token is lost.
//!
//! Each session has a thread; they take turns at reading requests, as many at a time as are there (`desk`).

mod desk;
mod form;
mod key;
mod token;

use std::{
    collections::HashMap,
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use cryptoki::{
    error::{Error, RvError},
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, kill_process, set_parent_process_death_signal, setrlimit,
};

use crate::{
    kind::{Kind, Shape},
    wire::{
        Answer, Failure, Frames, FromWorker, KEY_ID_BYTES, KeyRef, LABEL_PREFIX, OBJECTS_MAX, ObjectInfo, Request,
        Start,
    },
};
use desk::{Inbox, Outbox, Pace, Task};

/// Handles of keys that are remembered.
const HANDLES_MAX: usize = 16 * 1024;
/// Sessions at most, whatever the configuration says.
const SESSIONS_MAX: u16 = 256;

/// Works until the client closes its end. Standard input must be a socket.
pub fn run() -> ExitCode {
    // Before any thread is there, so that none takes them.
    if let Err(error) = block_signals() {
        eprintln!("jomae hsm-worker: {error}");
        return ExitCode::FAILURE;
    }
    let parent = getppid();
    // The service may be allowed the real-time class; the module is code that we do not know.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    match setrlimit(Resource::Rtprio, none).map_err(io::Error::from).and_then(|()| serve(parent)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jomae hsm-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A service manager sends these to all processes of a service, and a terminal to all in the foreground. The service finishes
/// what it has accepted, and ends its workers itself; and a worker that is ended in the middle of a login may leave a broken
/// token behind: `SoftHSM` empties its file before it writes it.
fn block_signals() -> io::Result<()> {
    let blocked = || {
        let mut set = uapi::empty_sig_set()?;
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            uapi::sigaddset(&mut set, signal.as_raw())?;
        }
        uapi::pthread_sigmask(uapi::c::SIG_BLOCK, Some(&set), None)
    };
    blocked().map_err(|error: uapi::Errno| io::Error::from_raw_os_error(error.0))
}

/// Ends the process when the time is over, unless what is given back is dropped before. By a signal, as the module may hang with
/// what an orderly end would wait for.
fn watchdog(within: Duration) -> io::Result<mpsc::Sender<()>> {
    let (begun, has_begun) = mpsc::channel();
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        if has_begun.recv_timeout(within) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _at_once = kill_process(getpid(), Signal::KILL);
        }
    })?;
    Ok(begun)
}

fn serve(parent: Option<Pid>) -> io::Result<()> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut frames = Frames::new(stream.try_clone()?);
    let Some((call, start)) = frames.read_message::<Start>()? else { return Ok(()) };
    let outbox = Outbox::new(stream);
    let workers = start.workers;
    let starting = watchdog(Duration::from_millis(start.within_ms))?;
    let opened = match token::open(&start) {
        Ok(opened) => opened,
        Err(refusal) => {
            outbox.put(call, &FromWorker::Refused(refusal), Instant::now())?;
            return outbox.flush();
        }
    };
    drop((start, starting));
    // Whoever started it may be killed while every session is busy in the module, so that nobody sees the socket close. Not
    // before: the start is not cut off.
    let _refinement = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != parent {
        return Err(io::Error::other("whoever started it has gone"));
    }
    outbox.put(call, &FromWorker::Started(opened.facts.clone()), Instant::now())?;
    outbox.flush()?;
    let inbox = Inbox::new(frames, opened.sessions.len(), workers);
    let serial = opened.facts.serial;
    let shared = Shared { inbox, outbox, pace: Pace::new(), handles: Mutex::default(), serial };
    std::thread::scope(|scope| {
        for session in opened.sessions {
            let (shared, place) = (&shared, &opened.place);
            scope.spawn(move || end(|| shared.work(session, place)));
        }
        end(|| shared.inbox.watch(&shared.outbox));
    });
    Ok(())
}

/// The thread that is at its end takes the process with it: the client begins anew, or is gone itself. A module may block where
/// it is closed, and nobody waits for it.
fn end(work: impl FnOnce() -> io::Result<()>) {
    /// A length that a module names may be too much for any memory.
    struct Panicked;
    impl Drop for Panicked {
        fn drop(&mut self) {
            std::process::exit(1);
        }
    }
    let panicked = Panicked;
    match work() {
        Ok(()) => std::process::exit(0),
        Err(error) => eprintln!("jomae hsm-worker: {error}"),
    }
    drop(panicked);
}

/// Number of sessions for a configuration.
const fn sessions(wanted: u16) -> u16 {
    if wanted == 0 {
        1
    } else if wanted > SESSIONS_MAX {
        SESSIONS_MAX
    } else {
        wanted
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the threads share.
struct Shared {
    inbox: Inbox,
    outbox: Outbox,
    pace: Pace,
    /// Handles of keys in the token, which all sessions of a process may use.
    handles: Mutex<HashMap<KeyRef, ObjectHandle>>,
    /// Of the token.
    serial: String,
}

impl Shared {
    /// Answers requests. Returns when the client has closed its end.
    fn work(&self, mut session: Session, place: &token::Place) -> io::Result<()> {
        while let Some(Task { call, request, .. }) = self.inbox.next(&self.pace, &self.outbox)? {
            let began = Instant::now();
            let answer = match self.answer(&session, &request) {
                // Some modules answer for a token that is gone as if it were empty.
                Err(Failure::NoSuchKey) | Ok(Answer::Found(false) | Answer::Done | Answer::Named(None))
                    if !place.is_there(&self.serial) =>
                {
                    Err(Failure::Lost("the token is not there any more".to_owned()))
                }
                answer => answer,
            };
            let now = Instant::now();
            self.pace.note(&request, now - began);
            drop(request);
            match answer {
                Ok(answer) => self.outbox.put(call, &FromWorker::Answer(answer), now)?,
                Err(failure) => {
                    let is_lost = matches!(failure, Failure::Lost(_));
                    let is_doubtful = matches!(failure, Failure::Token(_) | Failure::Nonsense(_));
                    self.outbox.put(call, &FromWorker::Failed(failure), now)?;
                    if is_lost || is_doubtful {
                        self.outbox.flush()?;
                    }
                    if is_lost {
                        return Err(io::Error::other("the token is lost"));
                    }
                    if is_doubtful {
                        // It may still have an operation going on, which the next one would stumble over.
                        session = place.session_instead(session).map_err(io::Error::other)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&self, session: &Session, request: &Request) -> Result<Answer, Failure> {
        match request {
            Request::Generate { key, label } => {
                let (handle, public) = key::generate(session, key, label, key::Lasting::Token)?;
                self.keep_if_sound(session, key, handle, public)
            }
            Request::Import { key, label, material, public } => {
                let handle = key::import(session, key, label, material.expose(), key::Lasting::Token)?;
                self.keep_if_sound(session, key, handle, public.clone())
            }
            Request::Find { key } => match self.handle(session, key) {
                Ok(_) => Ok(Answer::Found(true)),
                Err(Failure::NoSuchKey) => Ok(Answer::Found(false)),
                Err(failure) => Err(failure),
            },
            Request::Named { label, make } => named(session, label, *make),
            Request::Seal { key, nonce, aad, plaintext } => self
                .with_key(session, key, |handle| key::seal(session, handle, *nonce, aad, plaintext.expose()))
                .map(Answer::Bytes),
            Request::Open { key, nonce, aad, ciphertext } => {
                let opened =
                    self.with_key(session, key, |handle| key::open(session, handle, *nonce, aad, ciphertext))?;
                Ok(opened.map_or(Answer::Unreadable, Answer::Opened))
            }
            Request::Sign { key, algorithm, input } => self
                .with_key(session, key, |handle| key::sign(session, handle, key.kind, *algorithm, input))
                .map(Answer::Bytes),
            Request::Decrypt { key, algorithm, ciphertext } => {
                let opened =
                    self.with_key(session, key, |handle| key::decrypt(session, handle, *algorithm, ciphertext))?;
                Ok(opened.map_or(Answer::Unreadable, Answer::Opened))
            }
            Request::Mac { key, message } => self
                .with_key(session, key, |handle| key::mac(session, handle, key.kind, message.expose()))
                .map(Answer::Bytes),
            Request::Destroy { key } => self.destroy(session, key),
            Request::List { skip } => list(session, *skip),
        }
    }

    /// A key of which nobody has heard is tried before it is told of; one that does not work is no key.
    fn keep_if_sound(
        &self,
        session: &Session,
        key: &KeyRef,
        handle: ObjectHandle,
        public: Option<Vec<u8>>,
    ) -> Result<Answer, Failure> {
        if let Err(failure) = key::check(session, handle, key.kind, public.as_deref()) {
            session.destroy_object(handle).map_err(failed)?;
            return Err(failure);
        }
        self.remember(*key, handle);
        Ok(Answer::Made { public })
    }

    fn remember(&self, key: KeyRef, handle: ObjectHandle) {
        let mut handles = lock(&self.handles);
        if handles.len() >= HANDLES_MAX {
            handles.clear();
        }
        handles.insert(key, handle);
    }

    fn handle(&self, session: &Session, key: &KeyRef) -> Result<ObjectHandle, Failure> {
        if let Some(handle) = lock(&self.handles).get(key) {
            return Ok(*handle);
        }
        let [handle] = find(session, key)?[..] else { return Err(Failure::NoSuchKey) };
        self.remember(*key, handle);
        Ok(handle)
    }

    /// Does something with a key; once more if the handle that was remembered is none any more.
    fn with_key<T>(
        &self,
        session: &Session,
        key: &KeyRef,
        act: impl Fn(ObjectHandle) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let first = self.handle(session, key)?;
        let again = match act(first) {
            Err(Error::Pkcs11(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _)) => {
                lock(&self.handles).remove(key);
                act(self.handle(session, key)?)
            }
            other => other,
        };
        again.map_err(failed)
    }

    fn destroy(&self, session: &Session, key: &KeyRef) -> Result<Answer, Failure> {
        lock(&self.handles).remove(key);
        for handle in find(session, key)? {
            session.destroy_object(handle).map_err(failed)?;
        }
        lock(&self.handles).remove(key);
        // Said only when the token itself does not find it any more.
        if find(session, key)?.is_empty() {
            Ok(Answer::Done)
        } else {
            Err(Failure::Nonsense("a key that was destroyed is still there".to_owned()))
        }
    }
}

/// The class of the object that is used.
const fn class(kind: Kind) -> ObjectClass {
    match kind.shape() {
        Shape::Aes { .. } | Shape::Hmac(_) => ObjectClass::SECRET_KEY,
        Shape::Rsa { .. } | Shape::Ec(_) | Shape::Ed25519 => ObjectClass::PRIVATE_KEY,
    }
}

fn find(session: &Session, key: &KeyRef) -> Result<Vec<ObjectHandle>, Failure> {
    let template = [Attribute::Token(true), Attribute::Class(class(key.kind)), Attribute::Id(key.id.to_vec())];
    session.find_objects(&template).map_err(failed)
}

/// An AES-256 key with a label, made if wanted. None of those that callers have made, or brought along and so know: what is
/// wrapped under one of these may be anybody's.
fn named(session: &Session, label: &str, make: bool) -> Result<Answer, Failure> {
    if label.starts_with(LABEL_PREFIX) {
        return Err(Failure::NoSuchKey);
    }
    let template = [
        Attribute::Token(true),
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template).map_err(failed)?;
    match found[..] {
        [] if make => {
            let key = KeyRef { kind: Kind::Aes256, id: jomae_crypto::rng::array() };
            let (handle, _) = key::generate(session, &key, label, key::Lasting::Token)?;
            key::check(session, handle, key.kind, None)?;
            Ok(Answer::Named(Some(key.id)))
        }
        [] => Ok(Answer::Named(None)),
        [handle] => {
            let id = attributes(session, handle, &[AttributeType::Id])?.into_iter().find_map(|attribute| {
                let Attribute::Id(id) = attribute else { return None };
                <[u8; KEY_ID_BYTES]>::try_from(&id[..]).ok()
            });
            let id = id.ok_or_else(|| Failure::Token(format!("the key {label:?} has no CKA_ID of 16 bytes")))?;
            Ok(Answer::Named(Some(id)))
        }
        _ => Err(Failure::Token(format!("several keys have the label {label:?}"))),
    }
}

/// A page of our objects. The order is the token's, which does not change while nothing is made or destroyed.
fn list(session: &Session, skip: u32) -> Result<Answer, Failure> {
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY] {
        found.extend(session.find_objects(&[Attribute::Token(true), Attribute::Class(class)]).map_err(failed)?);
    }
    let mut objects = Vec::new();
    let mut seen = 0;
    for handle in found {
        let mut object = ObjectInfo { label: String::new(), id: Vec::new() };
        for attribute in attributes(session, handle, &[AttributeType::Label, AttributeType::Id])? {
            match attribute {
                Attribute::Label(label) if label.starts_with(LABEL_PREFIX.as_bytes()) => {
                    object.label = String::from_utf8_lossy(&label).chars().take(256).collect();
                }
                Attribute::Id(id) => object.id = id.into_iter().take(64).collect(),
                _ => {}
            }
        }
        if object.label.is_empty() {
            continue;
        }
        seen += 1;
        if seen > skip {
            objects.push(object);
        }
        if objects.len() == OBJECTS_MAX {
            break;
        }
    }
    Ok(Answer::Objects(objects))
}

fn attributes(session: &Session, handle: ObjectHandle, wanted: &[AttributeType]) -> Result<Vec<Attribute>, Failure> {
    session.get_attributes(handle, wanted).map_err(failed)
}

/// What an error of the module means.
fn failed(error: Error) -> Failure {
    let (rv, function) = match error {
        Error::Pkcs11(rv, function) => (rv, function),
        Error::InvalidValue => {
            return Failure::Nonsense("a result of another length, or under another nonce".to_owned());
        }
        other => return Failure::Token(one_line(&other.to_string())),
    };
    let text = format!("{function:?}: {rv:?}");
    match rv {
        RvError::DeviceMemory => Failure::Full,
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::UserNotLoggedIn
        | RvError::DeviceRemoved
        | RvError::DeviceError
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::CryptokiNotInitialized => Failure::Lost(text),
        _ => Failure::Token(text),
    }
}

/// A text of a module, fit for a log.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(256).collect()
}
