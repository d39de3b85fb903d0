//! Receipts: what the log signs about one event right after it was written. A later checkpoint must keep the promise.
//!
//! The text is signed as a note by the key of the log. It cannot be taken for a checkpoint, nor a checkpoint for it:
//! the first line of a checkpoint is the name of the key, and the second a number.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_crypto::purpose::Purpose;

use crate::{
    Hash, Signer, Timestamp, TlogError, VerifierKey,
    merkle::{hash_text, parse_hash, parse_number},
    note,
};

/// The longest receipt as it is sent, in bytes: it fits a header.
pub const RECEIPT_BYTES_MAX: usize = 1023;
/// The longest event id, in bytes.
const EVENT_ID_BYTES_MAX: usize = 64;
const FIRST_LINE: &str = Purpose::AuditReceipt.label();

/// The promise that event `index` has the leaf hash `leaf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The name of the log, the same as that of its key.
    pub origin: String,
    /// The number of the event, from 0.
    pub index: u64,
    /// The leaf hash of its line.
    pub leaf: Hash,
    /// Its `eventId`: 1 to 64 printable ASCII characters without spaces.
    pub event_id: String,
    /// When the log signed this.
    pub time: Timestamp,
}

fn is_event_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= EVENT_ID_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Receipt {
    /// The signed receipt, as it is sent: the note in base64url without padding, at most [`RECEIPT_BYTES_MAX`].
    pub fn sign(&self, signer: &Signer) -> Result<String, TlogError> {
        if self.origin != signer.name() {
            return Err(TlogError::Origin);
        }
        if !is_event_id(&self.event_id) {
            return Err(TlogError::Receipt);
        }
        let (leaf, Self { origin, index, event_id, time, .. }) = (hash_text(&self.leaf), self);
        let note = signer.sign(&format!("{FIRST_LINE}\n{origin}\n{index}\n{leaf}\n{event_id}\n{time}\n"))?;
        Ok(URL_SAFE_NO_PAD.encode(note))
    }

    /// Reads a receipt as it was sent, and checks that `key` signed it. White space around it is ignored.
    pub fn open(sent: &str, key: &VerifierKey) -> Result<Self, TlogError> {
        let sent = sent.trim_ascii();
        if sent.len() > RECEIPT_BYTES_MAX {
            return Err(TlogError::Receipt);
        }
        let note = URL_SAFE_NO_PAD.decode(sent).map_err(|_| TlogError::Receipt)?;
        let note = String::from_utf8(note).map_err(|_| TlogError::Receipt)?;
        let receipt = Self::parse(note::open(&note, &[key])?).ok_or(TlogError::Receipt)?;
        if receipt.origin == key.name() { Ok(receipt) } else { Err(TlogError::Origin) }
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.strip_suffix('\n')?.splitn(7, '\n').collect();
        let [FIRST_LINE, origin, index, leaf, event_id, time] = lines.as_slice() else { return None };
        Some(Self {
            origin: (*origin).to_owned(),
            index: parse_number(index)?,
            leaf: parse_hash(leaf)?,
            event_id: is_event_id(event_id).then(|| (*event_id).to_owned())?,
            time: Timestamp::parse(time)?,
        })
    }
}
