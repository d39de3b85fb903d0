//! Checkpoints (c2sp.org/tlog-checkpoint): what the log signs about its tree at one moment.

use std::{fmt, sync::Arc};

use crate::{
    Hash, Signer, Timestamp, TlogError, VerifierKey,
    merkle::{hash_text, parse_hash, parse_number},
    note,
};

/// How the extension line about the store begins.
const STATE: &str = "jomae-store ";

/// What a checkpoint says of the store whose changes the log records: what had been committed, durably, by then. The log
/// does not know what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// Changes of the store so far. In later checkpoints it is never less.
    pub changes: u64,
    /// Of all records after so many changes, by a key that the store has.
    pub digest: Hash,
}

impl fmt::Display for StoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STATE}{} {}", self.changes, hash_text(&self.digest))
    }
}

impl StoreState {
    /// From an extension line; `None` if it is another one.
    fn of_line(line: &str) -> Option<Result<Self, TlogError>> {
        let (changes, digest) = line.strip_prefix(STATE)?.split_once(' ').unwrap_or_default();
        let state = parse_number(changes).zip(parse_hash(digest)).map(|(changes, digest)| Self { changes, digest });
        Some(state.ok_or(TlogError::Checkpoint))
    }
}

/// Where the log asks, for each checkpoint, what to say of the store.
#[derive(Clone, Default)]
pub struct StateSource(Option<Arc<dyn Fn() -> Option<StoreState> + Send + Sync>>);

impl StateSource {
    /// What `ask` gives is signed. It must return soon, and say nothing that could still be lost.
    pub fn new(ask: impl Fn() -> Option<StoreState> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    pub(crate) fn ask(&self) -> Option<StoreState> {
        self.0.as_ref().and_then(|ask| ask())
    }
}

impl fmt::Debug for StateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateSource")
    }
}

/// The state of a log at one moment. As text four lines: origin, size, root in base64 and, as the extension line that
/// the form leaves to the log, the time as `YYYY-MM-DDThh:mm:ssZ`; and a fifth, `jomae-store`, number of changes and digest in
/// base64, if it says something of a store. Further extension lines are taken and ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, the same as that of its key.
    pub origin: String,
    /// The number of events.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When the log signed this.
    pub time: Timestamp,
    /// What it says of the store.
    pub state: Option<StoreState>,
}

impl Checkpoint {
    /// The note with this checkpoint, by the key of the same name.
    pub fn sign(&self, signer: &Signer) -> Result<String, TlogError> {
        if self.origin != signer.name() {
            return Err(TlogError::Origin);
        }
        signer.sign(&self.text())
    }

    /// The checkpoint in a note that `key` signed.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, TlogError> {
        let checkpoint = Self::parse(note::open(note, &[key])?)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(TlogError::Origin) }
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let state = self.state.map_or_else(String::new, |state| format!("{state}\n"));
        format!("{}\n{}\n{}\n{}\n{state}", self.origin, self.size, hash_text(&self.root), self.time)
    }

    /// Reads the text, without any signature.
    pub fn parse(text: &str) -> Result<Self, TlogError> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(TlogError::Checkpoint)?.split('\n').collect();
        let [origin, size, root, time, more @ ..] = lines.as_slice() else { return Err(TlogError::Checkpoint) };
        if lines.iter().any(|line| line.is_empty()) {
            return Err(TlogError::Checkpoint);
        }
        // Where it stands is fixed, so that a text is that of one checkpoint only.
        let state = more.first().and_then(|line| StoreState::of_line(line)).transpose()?;
        if more.iter().skip(1).any(|line| line.starts_with(STATE)) {
            return Err(TlogError::Checkpoint);
        }
        let read = || {
            let (size, root, time) = (parse_number(size)?, parse_hash(root)?, Timestamp::parse(time)?);
            Some(Self { origin: (*origin).to_owned(), size, root, time, state })
        };
        read().ok_or(TlogError::Checkpoint)
    }
}

/// The notes of a file that holds checkpoints, each followed by an empty line, and what is left at the end: a note that
/// was not written to its end, or nothing. Nothing is checked but where the notes end.
pub fn split_file(file: &str) -> (Vec<&str>, &str) {
    let (mut notes, mut rest) = (Vec::new(), file);
    // The first empty line ends the text, the second the signatures; neither part of a checkpoint has any inside.
    while let Some(text_end) = rest.find("\n\n")
        && let Some(length) = rest.get(text_end + 2..).and_then(|signatures| signatures.find("\n\n"))
        && let Some((note, after)) = rest.split_at_checked(text_end + 2 + length + 1)
    {
        notes.push(note);
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    (notes, rest)
}
