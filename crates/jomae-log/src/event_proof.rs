//! The proof that an event is in the log, complete in one text: it verifies anywhere, with the public key alone.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Hash, PROOF_HASHES_MAX, TlogError, VerifierKey,
    layout::EVENT_BYTES_MAX,
    leaf_hash,
    merkle::{hash_text, parse_hash},
    note::NOTE_BYTES_MAX,
    verify_inclusion,
};

/// The longest text of a proof, in bytes: the escapes of JSON may double the event.
pub const PROOF_BYTES_MAX: usize = 2 * EVENT_BYTES_MAX + 2 * NOTE_BYTES_MAX + 8 * 1024;

/// An event, its place, and the hashes that lead to the root of a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventProof {
    /// The line of the log, without the newline.
    pub event: String,
    /// The number of the event, from 0.
    pub index: u64,
    /// The proof of inclusion, from the leaf upwards.
    pub proof: Vec<Hash>,
    /// The note with the checkpoint, all its signatures included.
    pub checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    event: std::borrow::Cow<'a, str>,
    index: u64,
    proof: Vec<String>,
    checkpoint: std::borrow::Cow<'a, str>,
}

impl EventProof {
    /// The JSON text `{"event":…,"index":…,"proof":[…],"checkpoint":…}` on one line, without a newline. The event is a
    /// JSON string, so that its bytes stay as they are in the log; the hashes are in base64.
    pub fn to_json(&self) -> String {
        let proof = self.proof.iter().map(hash_text).collect();
        let (event, checkpoint) = (self.event.as_str().into(), self.checkpoint.as_str().into());
        // Texts and numbers into memory: no part of this can fail.
        serde_json::to_string(&Envelope { event, index: self.index, proof, checkpoint }).unwrap_or_default()
    }

    /// Reads the JSON text, of at most [`PROOF_BYTES_MAX`]. It proves nothing yet.
    pub fn parse(text: &str) -> Result<Self, TlogError> {
        if text.len() > PROOF_BYTES_MAX {
            return Err(TlogError::Proof);
        }
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| TlogError::Proof)?;
        if envelope.proof.len() > PROOF_HASHES_MAX {
            return Err(TlogError::Proof);
        }
        let proof: Option<Vec<Hash>> = envelope.proof.iter().map(|hash| parse_hash(hash)).collect();
        Ok(Self {
            event: envelope.event.into_owned(),
            index: envelope.index,
            proof: proof.ok_or(TlogError::Proof)?,
            checkpoint: envelope.checkpoint.into_owned(),
        })
    }

    /// Checks everything: the signature of the checkpoint, and that the event has its place below its root.
    pub fn verify(&self, key: &VerifierKey) -> Result<Checkpoint, TlogError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let leaf = leaf_hash(self.event.as_bytes());
        if verify_inclusion(&leaf, self.index, checkpoint.size, &self.proof, &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(TlogError::NotIncluded)
        }
    }

    /// The same proof, without the event, in the form of c2sp.org/tlog-proof, for other verifiers.
    pub fn to_tlog_proof(&self) -> String {
        let mut text = format!("c2sp.org/tlog-proof@v1\nindex {}\n", self.index);
        for hash in &self.proof {
            let _ = writeln!(text, "{}", hash_text(hash));
        }
        text + "\n" + &self.checkpoint
    }
}
