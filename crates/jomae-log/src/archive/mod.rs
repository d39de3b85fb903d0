//! The archive: a place away from the machine to which closed segments are shipped, so that the death of the machine
//! loses the open segment at most.
//!
//! An archive holds the logs of any number of nodes, each under a name of its own ([`log_name`]). What is shipped of a
//! log is a run of spans: a closed segment, the leaf hashes of its events, and a checkpoint that covers them. Objects
//! never change, and nothing here deletes or replaces one.
//!
//! | object | content |
//! |---|---|
//! | `key.pub` | the verifier key of the log, and a newline |
//! | `<number of the first event, 20 digits>.jsonl.zst` | a segment: [`crate::layout::frames`] |
//! | `<number of the first event, 20 digits>.checkpoint` | the newest signed note over events up to the end of the span |
//! | `<number of the first event, 20 digits>.hashes` | the leaf hashes of the span, as in `tree/0` |
//!
//! The hashes come last: a span without them was not shipped to its end. Of events that retention has removed before
//! there was an archive, only the hashes are there.

mod dir;
mod ship;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub use self::dir::DirArchive;
pub(crate) use self::ship::{Shipper, recorded};
use crate::{
    Timestamp, VerifierKey,
    frames::ReadAt,
    layout::{self, PUBLIC_KEY},
};

/// How much is read at once, in bytes.
const BLOCK_BYTES: usize = 256 * 1024;

/// An object of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name under that of the log.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Bytes of a file that are to become an object.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    source: &'a dyn ReadAt,
    from: u64,
    bytes: u64,
}

impl<'a> Content<'a> {
    /// A whole file.
    pub fn of(file: &'a File) -> io::Result<Self> {
        Ok(Self { source: file, from: 0, bytes: file.metadata()?.len() })
    }

    /// These bytes.
    pub(crate) fn of_bytes(bytes: &'a &'a [u8]) -> Self {
        Self { source: bytes, from: 0, bytes: bytes.len() as u64 }
    }

    /// How many there are.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Fills `buffer` with those from `at` on, as far as they go, and tells how many that are.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let length = usize::try_from(self.bytes.saturating_sub(at)).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.source.read_at(part, self.from + at)?;
        Ok(length)
    }

    /// Whether the others are the same.
    pub(crate) fn is(&self, other: &Self) -> io::Result<bool> {
        let (mut block, mut other_block, mut at) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES], 0);
        while at < self.bytes && self.bytes == other.bytes {
            let read = self.read(&mut block, at)?;
            other.read(&mut other_block, at)?;
            if block != other_block {
                return Ok(false);
            }
            at += read as u64;
        }
        Ok(self.bytes == other.bytes)
    }
}

/// Where logs are archived. Every call may block; an error is one line for the operator.
pub trait Archive: Send {
    /// The names of the logs in it.
    fn logs(&mut self) -> io::Result<Vec<String>>;

    /// The objects of a log.
    fn list(&mut self, log: &str) -> io::Result<Vec<Object>>;

    /// Puts an object, which is there whole or not at all. An error of kind `AlreadyExists` if there is one of this name.
    fn put(&mut self, log: &str, name: &str, content: Content<'_>) -> io::Result<()>;

    /// Removes an object, if it is there. Nobody does so with those of a log.
    fn remove(&mut self, log: &str, name: &str) -> io::Result<()>;

    /// The bytes of an object, as a file. An error of kind `NotFound` if there is none.
    fn get(&mut self, log: &str, name: &str) -> io::Result<File>;
}

/// The name of a log in an archive: its origin, with what is neither a letter, a digit, -, _ nor . in hexadecimal, and the
/// ID of its key: a log that has followed another one under the same origin is not taken for it.
pub fn log_name(key: &VerifierKey) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let text = key.to_string();
    let id = text.split('+').nth(1).unwrap_or_default();
    let escaped = |(at, byte): (usize, u8)| {
        let is_plain = plain(byte) && (at > 0 || byte != b'.');
        if is_plain { char::from(byte).to_string() } else { format!("={byte:02X}") }
    };
    let mut name: String = key.name().bytes().enumerate().map(escaped).collect();
    // No name of a file is longer than 255 bytes; the ID tells logs apart whose names begin alike.
    name.truncate(NAME_BYTES_MAX);
    format!("{name}.{id}")
}

/// So much of an origin is in the name of a log, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// What an object is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Segment(u64),
    Checkpoint(u64),
    Hashes(u64),
}

impl Kind {
    /// The kind of an object of this name; `None` if no object is called so.
    pub fn of(name: &str) -> Option<Self> {
        if name == PUBLIC_KEY {
            return Some(Self::Key);
        }
        let (number, ending) = name.split_once('.')?;
        let first = (number.len() == 20).then(|| number.parse().ok()).flatten()?;
        let kind = match ending {
            "jsonl.zst" => Self::Segment(first),
            "checkpoint" => Self::Checkpoint(first),
            "hashes" => Self::Hashes(first),
            _ => return None,
        };
        (kind.name() == name).then_some(kind)
    }

    pub fn name(self) -> String {
        match self {
            Self::Key => PUBLIC_KEY.to_owned(),
            Self::Segment(first) => layout::numbered(first, ".jsonl.zst"),
            Self::Checkpoint(first) => layout::numbered(first, ".checkpoint"),
            Self::Hashes(first) => layout::numbered(first, ".hashes"),
        }
    }
}

/// How far an archive has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveCounts {
    /// How many events are in the archive, from the beginning of the log; `None` if there is no archive.
    pub archived: Option<u64>,
    /// Objects shipped since the log was opened.
    pub objects: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Whether something in the archive is not what this log would have put there.
    pub refused: bool,
    /// The time of the first event that is not in the archive, as of the last look.
    pub oldest: Option<Timestamp>,
    /// Since when the oldest closed segment that is not in the archive has been closed, as of the last look.
    pub waiting_since: Option<Timestamp>,
}

/// What the thread that ships shares with the log.
#[derive(Default)]
pub(crate) struct ArchiveStats {
    pub objects: AtomicU64,
    pub failures: AtomicU64,
    pub refused: AtomicBool,
    /// Oldest event, and since when a closed segment waits.
    pub lag: Mutex<(Option<Timestamp>, Option<Timestamp>)>,
}

/// That there is no archive: nothing waits for it.
pub(crate) const NO_ARCHIVE: u64 = u64::MAX;

impl ArchiveStats {
    pub fn counts(&self, archived: u64) -> ArchiveCounts {
        let (oldest, waiting_since) = *self.lag.lock().unwrap_or_else(PoisonError::into_inner);
        ArchiveCounts {
            archived: (archived != NO_ARCHIVE).then_some(archived),
            objects: self.objects.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            oldest,
            waiting_since,
        }
    }
}
