//! Signed notes (c2sp.org/signed-note): text, an empty line, and signature lines `— <name> <base64>`.
//!
//! Only Ed25519 signatures (type 0x01) are made and checked. Signatures of other keys, such as those of witnesses, may
//! stand beside ours; they are neither needed nor looked at.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_crypto::{
    asym::{PrivateKey, SignAlg, verify_ed25519},
    hash::sha256,
};

use crate::TlogError;

/// The longest name of a key of ours, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// The longest note that is looked at, in bytes: room for 16 post-quantum signatures of witnesses.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;
/// The most signature lines that a note may have.
pub const SIGNATURES_MAX: usize = 64;

/// The type byte of Ed25519.
const ED25519: u8 = 1;

/// What checks the signatures of one key. As text `<name>+<key ID in hexadecimal>+<base64(0x01 ‖ public key)>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(forbidden)
}

impl VerifierKey {
    fn new(name: &str, public: [u8; 32]) -> Result<Self, TlogError> {
        if !is_name(name) {
            return Err(TlogError::Name);
        }
        let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[ED25519], &public]);
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], public })
    }

    /// Reads the text form. White space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, TlogError> {
        let text = text.trim_ascii();
        if text.len() > NAME_BYTES_MAX + 64 {
            return Err(TlogError::VerifierKey);
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(TlogError::VerifierKey);
        };
        let key = STANDARD.decode(key).map_err(|_| TlogError::VerifierKey)?;
        let Some((&ED25519, public)) = key.split_first() else { return Err(TlogError::VerifierKey) };
        let public = public.try_into().map_err(|_| TlogError::VerifierKey)?;
        let key = Self::new(name, public)?;
        // Compares the key ID as well.
        if key.to_string() == text { Ok(key) } else { Err(TlogError::VerifierKey) }
    }

    /// The name of the key; for a log also its origin.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.public.as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(key))
    }
}

/// What signs notes.
pub struct Signer {
    key: PrivateKey,
    verifier: VerifierKey,
}

impl Signer {
    /// A signer of this name with an Ed25519 key.
    pub fn new(name: &str, key: PrivateKey) -> Result<Self, TlogError> {
        let public = key.ed25519_public().ok_or(TlogError::PrivateKey)?;
        Ok(Self { key, verifier: VerifierKey::new(name, public)? })
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    /// What checks the signatures of this signer.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The note of this text, which must end in a newline, have no other control characters, and have a tenth of
    /// [`NOTE_BYTES_MAX`] at most. The same text always gives the same note.
    pub fn sign(&self, text: &str) -> Result<String, TlogError> {
        if text.len() > NOTE_BYTES_MAX / 10 || !text.ends_with('\n') || has_control_characters(text) {
            return Err(TlogError::Text);
        }
        Ok(format!("{text}\n{}", self.line(text)?))
    }

    /// A note with the signature of this signer too, below those that it has. They are not checked.
    pub fn cosign(&self, note: &str) -> Result<String, TlogError> {
        let end = note.rfind("\n\n").ok_or(TlogError::Note)?;
        let text = note.get(..=end).ok_or(TlogError::Note)?;
        Ok(format!("{note}{}", self.line(text)?))
    }

    fn line(&self, text: &str) -> Result<String, TlogError> {
        let signature = self.key.sign(SignAlg::Ed25519, text.as_bytes()).map_err(|_| TlogError::Library)?;
        let signature = STANDARD.encode([self.verifier.id.as_slice(), &signature].concat());
        Ok(format!("\u{2014} {} {signature}\n", self.verifier.name))
    }
}

fn has_control_characters(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

/// The text of a note that one of `keys` signed. A signature that bears the name and the ID of one of them and does not
/// verify makes the note invalid, whatever the others.
pub fn open<'a>(note: &'a str, keys: &[&VerifierKey]) -> Result<&'a str, TlogError> {
    if note.len() > NOTE_BYTES_MAX || has_control_characters(note) {
        return Err(TlogError::Note);
    }
    let end = note.rfind("\n\n").ok_or(TlogError::Note)?;
    let (Some(text), Some(signatures)) = (note.get(..=end), note.get(end + 2..)) else { return Err(TlogError::Note) };
    let signatures = signatures.strip_suffix('\n').ok_or(TlogError::Note)?;
    let mut signed = false;
    for (number, line) in signatures.split('\n').enumerate() {
        let (name, signature) =
            line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(TlogError::Note)?;
        let signature = STANDARD.decode(signature).map_err(|_| TlogError::Note)?;
        let (id, signature) = signature.split_first_chunk::<4>().ok_or(TlogError::Note)?;
        if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace()) || number >= SIGNATURES_MAX {
            return Err(TlogError::Note);
        }
        for key in keys.iter().filter(|key| key.name == name && key.id == *id) {
            if !verify_ed25519(&key.public, text.as_bytes(), signature) {
                return Err(TlogError::Signature);
            }
            signed = true;
        }
    }
    if signed { Ok(text) } else { Err(TlogError::Unsigned) }
}
