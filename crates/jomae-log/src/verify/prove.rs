//! Proofs to hand out, and receipts to check, from the files of a log.
//!
//! Nothing is handed out that does not verify.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    VerifyError,
    files::{self, SegmentLines},
};
use crate::{
    Checkpoint, EventProof, FileError, Hash, PROOF_HASHES_MAX, Receipt, TreeError, VerifierKey, consistency_proof,
    event::Event,
    inclusion_proof,
    layout::Segment,
    leaf_hash,
    merkle::{hash_text, parse_hash},
    note::NOTE_BYTES_MAX,
    verify_consistency, verify_inclusion,
};

/// The longest text of a consistency proof, in bytes.
const CONSISTENCY_BYTES_MAX: usize = 4 * NOTE_BYTES_MAX;

/// Which event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRef<'a> {
    /// By its number, from 0.
    Index(u64),
    /// By its `eventId`.
    Id(&'a str),
}

impl<'a> EventRef<'a> {
    /// A number, if the text is one, else an id.
    pub fn parse(text: &'a str) -> Self {
        text.parse().map_or(Self::Id(text), Self::Index)
    }
}

pub(super) fn unverified<T>(text: impl Into<String>) -> Result<T, VerifyError> {
    Err(VerifyError::Unverified(text.into()))
}

impl From<TreeError<FileError>> for VerifyError {
    fn from(error: TreeError<FileError>) -> Self {
        match error {
            TreeError::Range => Self::Unverified("the tree is smaller than that".into()),
            TreeError::Node(error) => error.into(),
        }
    }
}

/// The newest checkpoint in the directory that verifies, with its note.
pub fn newest_checkpoint(dir: &Path, key: &VerifierKey) -> Result<(Checkpoint, String), VerifyError> {
    let notes = files::read_checkpoints(dir)?.notes;
    let valid = notes.into_iter().rev().find_map(|(_, note)| Some((Checkpoint::open(&note, key).ok()?, note)));
    valid.map_or_else(|| unverified("the log has no checkpoint signed by this key"), Ok)
}

/// The first line that is wanted, and its number.
fn find_in(
    segment: &Segment,
    mut wanted: impl FnMut(u64, &[u8]) -> bool,
) -> Result<Option<(u64, Vec<u8>)>, VerifyError> {
    let (mut lines, mut index) = (SegmentLines::open(segment)?, segment.first);
    while let Some(line) = lines.next_line()? {
        if wanted(index, line) {
            return Ok(Some((index, line.to_vec())));
        }
        index = index.saturating_add(1);
    }
    Ok(None)
}

fn find(dir: &Path, event: EventRef<'_>) -> Result<(u64, String), VerifyError> {
    let (segments, _) = files::segments(dir)?;
    let found = match event {
        EventRef::Index(index) => {
            let segment = segments.iter().rev().find(|segment| segment.first <= index);
            segment.map_or(Ok(None), |segment| find_in(segment, |at, _| at == index))?
        }
        EventRef::Id(id) => {
            let finder = memchr::memmem::Finder::new(id);
            let has_id = |line: &[u8]| Event::parse(line).is_some_and(|(event, _)| event.event_id == id);
            let mut found = None;
            for segment in segments.iter().rev() {
                found = find_in(segment, |_, line| finder.find(line).is_some() && has_id(line))?;
                if found.is_some() {
                    break;
                }
            }
            found
        }
    };
    let Some((index, line)) = found else { return unverified("the log has no such event, or no longer") };
    match String::from_utf8(line) {
        Ok(line) => Ok((index, line)),
        Err(_) => unverified(format!("event {index} is not text")),
    }
}

/// The proof that an event is in the log, against the newest checkpoint.
pub fn prove(dir: &Path, key: &VerifierKey, event: EventRef<'_>) -> Result<EventProof, VerifyError> {
    let (index, event) = find(dir, event)?;
    let (newest, checkpoint) = newest_checkpoint(dir, key)?;
    if index >= newest.size {
        return unverified(format!("event {index} is not covered by a checkpoint yet; try again in some seconds"));
    }
    let proof = inclusion_proof(&files::tree(dir)?, index, newest.size)?;
    let proof = EventProof { event, index, proof, checkpoint };
    match proof.verify(key) {
        Ok(_) => Ok(proof),
        Err(_) => unverified(format!("event {index} cannot be proven: the log is damaged; check it")),
    }
}

/// The proof that the log of a newer checkpoint still begins with all events of an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The note with the older checkpoint.
    pub old: String,
    /// The note with the newer one.
    pub new: String,
    /// The proof, RFC 6962 section 2.1.2.
    pub proof: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsistencyEnvelope {
    old: String,
    new: String,
    proof: Vec<String>,
}

impl ConsistencyProof {
    /// The JSON text `{"old":…,"new":…,"proof":[…]}` on one line.
    pub fn to_json(&self) -> String {
        let proof = self.proof.iter().map(hash_text).collect();
        let envelope = ConsistencyEnvelope { old: self.old.clone(), new: self.new.clone(), proof };
        // Texts into memory: no part of this can fail.
        serde_json::to_string(&envelope).unwrap_or_default()
    }

    /// Reads the JSON text. It proves nothing yet.
    pub fn parse(text: &str) -> Result<Self, VerifyError> {
        let envelope = (text.len() <= CONSISTENCY_BYTES_MAX).then(|| serde_json::from_str(text).ok()).flatten();
        let envelope: Option<ConsistencyEnvelope> = envelope;
        let read = || {
            let ConsistencyEnvelope { old, new, proof } = envelope?;
            Some(Self { old, new, proof: hashes(&proof)? })
        };
        read().map_or_else(|| unverified("the text is not a proof of consistency"), Ok)
    }

    /// Checks the signatures and the proof. Gives the older and the newer checkpoint.
    pub fn verify(&self, key: &VerifierKey) -> Result<(Checkpoint, Checkpoint), VerifyError> {
        let (old, new) = (Checkpoint::open(&self.old, key)?, Checkpoint::open(&self.new, key)?);
        if verify_consistency(old.size, &old.root, new.size, &new.root, &self.proof) {
            Ok((old, new))
        } else {
            unverified("the newer checkpoint is not of a log that begins with the events of the older one")
        }
    }
}

/// Hashes in base64; `None` if there are more than any proof has.
pub(super) fn hashes(texts: &[String]) -> Option<Vec<Hash>> {
    (texts.len() <= PROOF_HASHES_MAX).then(|| texts.iter().map(|text| parse_hash(text)).collect()).flatten()
}

/// The proof that the log in `dir` still begins with all events of `old`, a checkpoint that was kept, up to its newest
/// checkpoint. If the kept one is newer, the log must have been cut, and there is none.
pub fn consistency(dir: &Path, key: &VerifierKey, old: &str) -> Result<ConsistencyProof, VerifyError> {
    let kept = Checkpoint::open(old, key)?;
    let (newest, new) = newest_checkpoint(dir, key)?;
    if kept.size > newest.size {
        let (kept, newest) = (kept.size, newest.size);
        return unverified(format!("the checkpoint covers {kept} events, and the newest one of the log only {newest}"));
    }
    let proof = consistency_proof(&files::tree(dir)?, kept.size, newest.size)?;
    let proof = ConsistencyProof { old: old.to_owned(), new, proof };
    proof.verify(key)?;
    Ok(proof)
}

/// How well the log keeps a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptCheck {
    /// The event is below the root of this checkpoint.
    Proven(Receipt, Checkpoint),
    /// The hash of the event is in the log, but no checkpoint covers it yet.
    NotYetCovered(Receipt),
}

fn broken<T>(receipt: &Receipt) -> Result<T, VerifyError> {
    unverified(format!("the log does not keep the receipt: its event {} is another one", receipt.index))
}

/// Checks a receipt against the log in `dir`. The event itself need no longer be stored.
pub fn check_receipt(dir: &Path, key: &VerifierKey, sent: &str) -> Result<ReceiptCheck, VerifyError> {
    let receipt = Receipt::open(sent, key)?;
    let (newest, _) = newest_checkpoint(dir, key)?;
    let tree = files::tree(dir)?;
    match tree.one(0, receipt.index)? {
        None => unverified(format!("the log does not keep the receipt: it has no event {}", receipt.index)),
        Some(leaf) if leaf != receipt.leaf => broken(&receipt),
        Some(_) if receipt.index >= newest.size => Ok(ReceiptCheck::NotYetCovered(receipt)),
        Some(leaf) => {
            let proof = inclusion_proof(&tree, receipt.index, newest.size)?;
            if verify_inclusion(&leaf, receipt.index, newest.size, &proof, &newest.root) {
                Ok(ReceiptCheck::Proven(receipt, newest))
            } else {
                unverified("the tree does not have the root that was signed: the log is damaged; check it")
            }
        }
    }
}

/// Checks a receipt against a proof of its event, without the log.
pub fn check_receipt_by_proof(proof: &EventProof, key: &VerifierKey, sent: &str) -> Result<ReceiptCheck, VerifyError> {
    let receipt = Receipt::open(sent, key)?;
    if proof.index != receipt.index {
        return unverified(format!("the proof is of event {}, the receipt of event {}", proof.index, receipt.index));
    }
    let checkpoint = proof.verify(key)?;
    if leaf_hash(proof.event.as_bytes()) != receipt.leaf {
        return broken(&receipt);
    }
    Ok(ReceiptCheck::Proven(receipt, checkpoint))
}
