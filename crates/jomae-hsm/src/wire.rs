//! What client and worker say to each other.
//!
//! A frame is the length of its body in bytes (u32, big-endian, at most [`BODY_BYTES_MAX`]), the number of the call (u64,
//! big-endian) and the body: a message in postcard. Client and worker are always the same build, so the messages have no
//! version.

use std::{
    fmt,
    io::{self, Read},
    os::unix::net::UnixStream,
};

use rustix::net::RecvFlags;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use zeroize::{Zeroize as _, Zeroizing};

use crate::kind::{Algorithm, Kind};

/// Length of a `CKA_ID` of ours, in bytes.
pub const KEY_ID_BYTES: usize = 16;
/// What the labels of key versions begin with.
pub const LABEL_PREFIX: &str = "jomae:";
/// The longest body, in bytes. The longest message is a page of a list.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Length and number of the call.
const HEAD_BYTES: usize = 12;
/// Room for a message beside its bytes of changing length.
const MESSAGE_ROOM_BYTES: usize = 96;
/// Length of the tag of AES-GCM.
const GCM_TAG_BYTES: usize = 16;
/// Objects in one page of a list.
pub const OBJECTS_MAX: usize = 128;

/// Secret bytes on their way, erased on drop.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret, without a copy of it.
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Secret, E> {
                Ok(Secret::new(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A key in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRef {
    /// What it is.
    pub kind: Kind,
    /// Its `CKA_ID`.
    pub id: [u8; KEY_ID_BYTES],
}

/// How the worker begins.
#[derive(Serialize, Deserialize)]
pub struct Start {
    /// The path of the module.
    pub module: String,
    /// The label of the token.
    pub label: String,
    /// Its serial number, once that is known.
    pub serial: Option<String>,
    /// The PIN of its user.
    pub pin: Secret,
    /// Sessions, hence calls at once. 0: only to look whether the token is there, without the PIN.
    pub sessions: u16,
    /// Workers of the token, which share the processors.
    pub workers: u16,
    /// Whether no PIN is to be tried if the last one that was tried is wrong: it may have been this one, and nobody has heard
    /// what became of it.
    pub careful: bool,
    /// Whether it is to be found out what the token can do.
    pub probe: bool,
    /// How long the start may take, in milliseconds: then the worker ends itself, also if nobody is there any more to end it.
    pub within_ms: u64,
}

/// What the worker says of the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Maker and model, as the token gives them.
    pub model: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Whether the last PIN that somebody tried was wrong.
    pub pin_count_low: bool,
    /// What it can make and use, tried with throw-away keys; empty if it was not asked for.
    pub kinds: Vec<Kind>,
    /// Of which of these material can be brought in.
    pub importable: Vec<Kind>,
}

/// Why the worker does not begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The module cannot be loaded.
    #[error("the module cannot be loaded: {0}")]
    Module(String),
    /// No token of the label.
    #[error("no token with the label {0:?} is there")]
    NoToken(String),
    /// Several tokens of the label, and none is named.
    #[error("several tokens have the label {0:?}; name the serial number of one: {1}")]
    Ambiguous(String, String),
    /// Another token of the same label.
    #[error("the token with the label {label:?} has the serial number {found}, and the keys are in {expected}")]
    OtherToken {
        /// Of both.
        label: String,
        /// Serial numbers that are there.
        found: String,
        /// The one that is wanted.
        expected: String,
    },
    /// The token refuses the PIN; it has been tried once.
    #[error("the token refuses the PIN, and it is not tried again: a token locks after a few wrong ones")]
    PinIncorrect,
    /// The PIN is locked, or was never set.
    #[error("the PIN of the token is locked or was never set")]
    PinUnusable,
    /// A wrong PIN was tried, perhaps this one, by a worker that ended before it could say so.
    #[error("the last PIN that was tried is wrong, and may have been this one; it is not tried again by itself")]
    PinDoubtful,
    /// One wrong PIN more would lock the token.
    #[error("one wrong PIN more would lock the token; log in once by hand with the tool of its vendor")]
    FinalTry,
    /// Something else.
    #[error("{0}")]
    Token(String),
}

impl Refusal {
    /// Whether only an operator mends it, so that it is not to be tried again before he says so.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::PinIncorrect | Self::PinUnusable | Self::PinDoubtful | Self::FinalTry)
    }
}

/// What the client asks for.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs, reason = "the members are those of the calls of the client")]
pub enum Request {
    /// Makes a key in the token, which never leaves it.
    Generate { key: KeyRef, label: String },
    /// Brings in a key: raw bytes, or a private key in PKCS#8 with its public key.
    Import { key: KeyRef, label: String, material: Secret, public: Option<Vec<u8>> },
    /// Whether the key is there.
    Find { key: KeyRef },
    /// The AES-256 key with this label, made if it is not there and `make` says so.
    Named { label: String, make: bool },
    /// AES-GCM; the tag is the last 16 bytes.
    Seal { key: KeyRef, nonce: [u8; 12], aad: Vec<u8>, plaintext: Secret },
    /// The inverse.
    Open { key: KeyRef, nonce: [u8; 12], aad: Vec<u8>, ciphertext: Vec<u8> },
    /// A signature in the form of jomae-crypto, over a digest or a message.
    Sign { key: KeyRef, algorithm: Algorithm, input: Vec<u8> },
    /// Public-key decryption.
    Decrypt { key: KeyRef, algorithm: Algorithm, ciphertext: Vec<u8> },
    /// A MAC over a message.
    Mac { key: KeyRef, message: Secret },
    /// Destroys a key. One that is not there is destroyed.
    Destroy { key: KeyRef },
    /// Objects whose labels begin with `jomae:`, from the `skip`th on.
    List { skip: u32 },
}

/// Which answers a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Made,
    Found,
    Named,
    /// As many bytes, where that is known.
    Bytes(Option<usize>),
    Opened(Option<usize>),
    Done,
    Objects,
}

impl Expected {
    /// Of a request.
    pub fn of(request: &Request) -> Self {
        match request {
            Request::Generate { .. } | Request::Import { .. } => Self::Made,
            Request::Find { .. } => Self::Found,
            Request::Named { .. } => Self::Named,
            Request::Seal { plaintext, .. } => Self::Bytes(Some(plaintext.expose().len() + GCM_TAG_BYTES)),
            Request::Open { ciphertext, .. } => Self::Opened(ciphertext.len().checked_sub(GCM_TAG_BYTES)),
            Request::Sign { .. } | Request::Mac { .. } => Self::Bytes(None),
            Request::Decrypt { .. } => Self::Opened(None),
            Request::Destroy { .. } => Self::Done,
            Request::List { .. } => Self::Objects,
        }
    }

    /// Whether this can be the answer.
    pub fn fits(self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Bytes(length), Answer::Bytes(bytes)) => length.is_none_or(|length| length == bytes.len()),
            (Self::Opened(length), Answer::Opened(secret)) => {
                length.is_none_or(|length| length == secret.expose().len())
            }
            (Self::Made, Answer::Made { .. })
            | (Self::Found, Answer::Found(_))
            | (Self::Named, Answer::Named(_))
            | (Self::Opened(_), Answer::Unreadable)
            | (Self::Done, Answer::Done)
            | (Self::Objects, Answer::Objects(_)) => true,
            _ => false,
        }
    }
}

/// What comes of it.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs, reason = "each belongs to the request of its name")]
pub enum Answer {
    Made {
        public: Option<Vec<u8>>,
    },
    Found(bool),
    Named(Option<[u8; KEY_ID_BYTES]>),
    Bytes(Vec<u8>),
    Opened(Secret),
    /// It does not open, or decrypt.
    Unreadable,
    Done,
    Objects(Vec<ObjectInfo>),
}

/// An object of ours in the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// `CKA_LABEL`.
    pub label: String,
    /// `CKA_ID`.
    pub id: Vec<u8>,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The key is not in the token.
    #[error("the key is not in the token")]
    NoSuchKey,
    /// No room for another object.
    #[error("the token is full")]
    Full,
    /// The session or the token is gone; the worker ends after this.
    #[error("the token is lost: {0}")]
    Lost(String),
    /// The module said something that cannot be.
    #[error("the module answers nonsense: {0}")]
    Nonsense(String),
    /// Any other refusal of the token.
    #[error("{0}")]
    Token(String),
}

/// What the worker says.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs, reason = "answers to the messages of the client")]
pub enum FromWorker {
    Started(TokenFacts),
    Refused(Refusal),
    Answer(Answer),
    Failed(Failure),
}

/// What a message takes at most, so that no copy of it is left behind while its buffer grows.
pub trait Message: Serialize {
    /// Bytes of changing length in it.
    fn changing_bytes(&self) -> usize;
}

impl Message for Start {
    fn changing_bytes(&self) -> usize {
        self.module.len() + self.label.len() + self.pin.expose().len() + self.serial.as_ref().map_or(0, String::len)
    }
}

impl Message for Request {
    fn changing_bytes(&self) -> usize {
        match self {
            Self::Generate { label, .. } | Self::Named { label, .. } => label.len(),
            Self::Import { label, material, public, .. } => {
                label.len() + material.expose().len() + public.as_ref().map_or(0, Vec::len)
            }
            Self::Seal { aad, plaintext, .. } => aad.len() + plaintext.expose().len(),
            Self::Open { aad, ciphertext, .. } => aad.len() + ciphertext.len(),
            Self::Sign { input, .. } => input.len(),
            Self::Decrypt { ciphertext, .. } => ciphertext.len(),
            Self::Mac { message, .. } => message.expose().len(),
            Self::Find { .. } | Self::Destroy { .. } | Self::List { .. } => 0,
        }
    }
}

impl Message for FromWorker {
    fn changing_bytes(&self) -> usize {
        match self {
            Self::Answer(Answer::Bytes(bytes)) => bytes.len(),
            Self::Answer(Answer::Opened(secret)) => secret.expose().len(),
            Self::Answer(Answer::Made { public }) => public.as_ref().map_or(0, Vec::len),
            Self::Answer(Answer::Objects(objects)) => {
                objects.iter().map(|object| 16 + object.label.len() + object.id.len()).sum()
            }
            Self::Answer(_) => 0,
            // Texts of a module: seldom, and nothing secret.
            Self::Started(_) | Self::Refused(_) | Self::Failed(_) => 8 * 1024,
        }
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message that is longer than it may be")
}

/// A message as a frame.
pub fn encode(call: u64, message: &impl Message) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut batch = Batch::default();
    batch.push(call, message)?;
    Ok(batch.0)
}

/// Frames that go together, erased when they are gone.
#[derive(Default)]
pub struct Batch(Zeroizing<Vec<u8>>);

impl Batch {
    /// Puts a message behind the others.
    ///
    /// # Errors
    /// It is longer than it may be. The others are there as before.
    pub fn push(&mut self, call: u64, message: &impl Message) -> io::Result<()> {
        let room = (HEAD_BYTES + MESSAGE_ROOM_BYTES + message.changing_bytes()).min(HEAD_BYTES + BODY_BYTES_MAX);
        let start = self.0.len();
        if self.0.capacity() - start < room {
            // By itself it would grow into other memory and leave the frames behind where it was.
            let mut larger = Zeroizing::new(Vec::with_capacity((2 * start).max(BATCH_BYTES) + room));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.resize(start + room, 0);
        let written = self.0.get_mut(start..).and_then(|frame| write_frame(frame, call, message));
        self.0.truncate(start + written.unwrap_or(0));
        written.map(|_| ()).ok_or_else(too_long)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The frames as they go over the socket.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Erases them, and keeps their room, if it is little, for others.
    pub fn clear(&mut self) {
        if self.0.capacity() > BATCH_BYTES_KEPT {
            *self = Self::default();
        } else {
            self.0.as_mut_slice().zeroize();
            self.0.clear();
        }
    }
}

/// Room for frames at first; how much of it is kept for the next ones.
const BATCH_BYTES: usize = 2 * 1024;
const BATCH_BYTES_KEPT: usize = 64 * 1024;

/// Writes a frame to the beginning of `frame`, and gives its length in bytes; none if it is too long.
fn write_frame(frame: &mut [u8], call: u64, message: &impl Message) -> Option<usize> {
    let (head, body) = frame.split_first_chunk_mut::<HEAD_BYTES>()?;
    let length = postcard::to_slice(message, body).ok()?.len();
    let (of_length, of_call) = head.split_at_mut(4);
    of_length.copy_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
    of_call.copy_from_slice(&call.to_be_bytes());
    Some(HEAD_BYTES + length)
}

/// The message of a body. Nothing may follow it.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a message that cannot be read")),
    }
}

/// Reads frames, as many at a time as are there.
pub struct Frames<R> {
    from: R,
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
}

impl<R: Read> Frames<R> {
    /// Of a stream.
    pub fn new(from: R) -> Self {
        Self { from, buffer: Zeroizing::new(vec![0; HEAD_BYTES + BODY_BYTES_MAX]), start: 0, end: 0 }
    }

    /// The next frame: the number of its call, and its body. None at the end of the stream.
    pub fn read_next(&mut self) -> io::Result<Option<(u64, Zeroizing<Vec<u8>>)>> {
        if !self.await_whole()? {
            return Ok(None);
        }
        self.take(|body| Ok(Zeroizing::new(body.to_vec())))
    }

    /// The next message, with the number of its call. None at the end of the stream.
    pub fn read_message<T: DeserializeOwned>(&mut self) -> io::Result<Option<(u64, T)>> {
        if !self.await_whole()? {
            return Ok(None);
        }
        self.take(decode)
    }

    /// The next message, if all of it has been read already.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> io::Result<Option<(u64, T)>> {
        self.take(decode)
    }

    /// Reads until there is a whole frame; false at the end of the stream.
    fn await_whole(&mut self) -> io::Result<bool> {
        while self.whole()?.is_none() {
            if !self.fill()? {
                return if self.start == self.end { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        Ok(true)
    }

    /// Call and body of the frame that comes first, if it is whole.
    fn whole(&self) -> io::Result<Option<(u64, &[u8])>> {
        let there = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((head, rest)) = there.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let (length, call) = parse_head(*head)?;
        Ok(rest.get(..length).map(|body| (call, body)))
    }

    fn take<T>(&mut self, read: impl FnOnce(&[u8]) -> io::Result<T>) -> io::Result<Option<(u64, T)>> {
        let Some((call, body)) = self.whole()? else { return Ok(None) };
        let (length, message) = (body.len(), read(body)?);
        self.consume(HEAD_BYTES + length);
        Ok(Some((call, message)))
    }

    fn consume(&mut self, bytes: usize) {
        let until = (self.start + bytes).min(self.end);
        if let Some(read) = self.buffer.get_mut(self.start..until) {
            read.zeroize();
        }
        self.start = until;
    }

    /// Reads once more; false at the end. The buffer holds the longest frame, so there is room when one is incomplete.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            let left = self.end - self.start;
            if let Some(old) = self.buffer.get_mut(left.max(self.start)..self.end) {
                old.zeroize();
            }
            (self.start, self.end) = (0, left);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.from.read(room) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Frames<UnixStream> {
    /// Whether something more has come, so that a read would not wait.
    pub fn has_come(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(&self.from, &mut [0_u8; 1], flags).is_ok()
    }
}

fn parse_head(head: [u8; HEAD_BYTES]) -> io::Result<(usize, u64)> {
    let [a, b, c, d, call @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| too_long())?;
    if length > BODY_BYTES_MAX { Err(too_long()) } else { Ok((length, u64::from_be_bytes(call))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: KeyRef = KeyRef { kind: Kind::Aes256, id: [7; KEY_ID_BYTES] };

    #[test]
    fn the_longest_messages_fit() {
        let objects = (0..OBJECTS_MAX).map(|_| ObjectInfo { label: "x".repeat(300), id: vec![1; 64] }).collect();
        let frame = encode(1, &FromWorker::Answer(Answer::Objects(objects))).unwrap();
        assert!(frame.len() <= HEAD_BYTES + BODY_BYTES_MAX);
        let message = Request::Mac { key: KEY, message: Secret::new(vec![1; BODY_BYTES_MAX]) };
        assert!(encode(1, &message).is_err(), "a longer one is refused, not cut");
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_it_is_read() {
        let mut head = vec![0xff; 4];
        head.extend([0; 8]);
        assert!(Frames::new(&head[..]).read_next().is_err());
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_an_error() {
        let frame = encode(3, &Request::Destroy { key: KEY }).unwrap();
        for end in 1..frame.len() {
            assert!(Frames::new(&frame[..end]).read_next().is_err(), "{end}");
        }
        assert!(Frames::new(&frame[..0]).read_next().unwrap().is_none());
    }

    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..7000), 1..40),
            at_a_time in 1..30_000_usize,
        ) {
            let mut stream = Vec::new();
            for (call, message) in messages.iter().enumerate() {
                let request = Request::Sign { key: KEY, algorithm: Algorithm::Ecdsa, input: message.clone() };
                stream.extend_from_slice(&encode(call as u64, &request).unwrap());
            }
            let mut frames = Frames::new(Trickle(&stream, at_a_time));
            for (nth, message) in messages.iter().enumerate() {
                let (call, body) = frames.read_next().unwrap().unwrap();
                prop_assert_eq!(call, nth as u64);
                let Request::Sign { key, input, .. } = decode(&body).unwrap() else { panic!("another message") };
                prop_assert_eq!(key, KEY);
                prop_assert_eq!(&input, message);
            }
            prop_assert!(frames.read_next().unwrap().is_none());
        }

        #[test]
        fn messages_that_are_there_come_without_reading(count in 0..40_usize, at_a_time in 1..3000_usize) {
            let mut stream = Vec::new();
            for call in 0..count {
                stream.extend_from_slice(&encode(call as u64, &Request::Destroy { key: KEY }).unwrap());
            }
            let mut frames = Frames::new(Trickle(&stream, at_a_time));
            let mut expected = 0;
            while let Some((call, _)) = frames.read_message::<Request>().unwrap() {
                prop_assert_eq!(call, expected);
                expected += 1;
                while let Some((call, _)) = frames.next_message::<Request>().unwrap() {
                    prop_assert_eq!(call, expected);
                    expected += 1;
                }
            }
            prop_assert_eq!(expected, count as u64);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut frames = Frames::new(&bytes[..]);
            while let Ok(Some((_, body))) = frames.read_next() {
                let _ = decode::<FromWorker>(&body);
                let _ = decode::<Request>(&body);
                let _ = decode::<Start>(&body);
            }
            let _ = decode::<FromWorker>(&bytes);
            let _ = decode::<Request>(&bytes);
        }
    }
}
