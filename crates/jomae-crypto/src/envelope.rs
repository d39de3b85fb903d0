//! The `CiphertextBlob` of a symmetric customer master key (CMK).
//!
//! # Layout
//!
//! | offset | bytes  | field                                                               |
//! |--------|--------|---------------------------------------------------------------------|
//! | 0      | 36     | key version id, ASCII, each of `0-9 a-z A-Z -`                      |
//! | 36     | 1      | format                                                              |
//! | 37     | 80 + n | the layout of [`crate::sealed`] around a plaintext of n ≤ 6144 bytes |
//!
//! | format | cipher      | message key | purpose                | HKDF-SHA256 output of [`crate::sealed`]  |
//! |--------|-------------|-------------|------------------------|------------------------------------------|
//! | `0x01` | AES-256-GCM | 32 bytes    | `cmk-envelope`         | message key ‖ commitment (32), 64 bytes  |
//! | `0x02` | AES-128-GCM | 16 bytes    | `cmk-envelope-aes-128` | message key ‖ commitment (32), 48 bytes  |
//! | `0x03` | AES-192-GCM | 24 bytes    | `cmk-envelope-aes-192` | message key ‖ commitment (32), 56 bytes  |
//! | `0x04` | SM4-GCM     | 16 bytes    | `cmk-envelope-sm4`     | message key ‖ commitment (32), 48 bytes  |
//!
//! Formats `0x11` to `0x14` are `0x01` to `0x04` around a plaintext that is text in UTF-8 and goes back to the caller as
//! it is, where the others hold bytes that travel in Base64.
//!
//! Formats `0x21` and `0x31` are those of keys in a token: [`token`]. Every other format seals with
//!
//! - key: the material of the key version, 16 to 64 bytes,
//! - purpose: that of the table,
//! - binding: account, region, key id, version id, spec and usage in this order, each as its length in bytes (u32,
//!   big-endian) and its UTF-8 bytes,
//! - AAD: bytes 0 to 36 of the blob, then the canonical encryption context.
//!
//! The canonical encryption context is the number of pairs (u32, big-endian), then the pairs in ascending byte order of
//! their keys, each as key and value, each as its length in bytes (u32, big-endian) and its UTF-8 bytes. No context and
//! a context without pairs are the same four zero bytes.
//!
//! The format is in the AAD and decides the purpose, so changing it in a blob makes another message that does not open.
//! Other formats are reserved; a blob of an unknown format does not open. A format never changes its meaning. What the
//! plaintext is ([`Content`]) stands in the format, so it is authenticated with everything else.

pub mod token;

use std::collections::BTreeMap;
use std::fmt;

use crate::purpose::Purpose;
use crate::sealed::{self, OpenError, SealingKey};
use crate::secret::SecretBytes;
pub use crate::sym::Cipher;

/// Length of a key version id in bytes.
pub const VERSION_ID_BYTES: usize = 36;

/// The longest plaintext that [`encrypt`] takes, in bytes.
pub const PLAINTEXT_BYTES_MAX: usize = 6144;

/// The shortest blob, in bytes: that of an empty plaintext.
pub const BLOB_BYTES_MIN: usize = HEADER_BYTES + sealed::OVERHEAD_BYTES;

/// The longest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = BLOB_BYTES_MIN + token::MORE_BYTES + PLAINTEXT_BYTES_MAX;

const HEADER_BYTES: usize = VERSION_ID_BYTES + 1;

/// What a plaintext is, and so in which form it goes back to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes: the caller gave their Base64, and gets it.
    Bytes,
    /// Text in UTF-8: the caller gave it as it is, and gets it so.
    Text,
}

/// The bit that formats of text have beside those of bytes.
const TEXT: u8 = 0x10;

/// The format byte of a cipher and a content.
const fn format_of(cipher: Cipher, content: Content) -> u8 {
    let of_bytes = match cipher {
        Cipher::Aes256 => 0x01,
        Cipher::Aes128 => 0x02,
        Cipher::Aes192 => 0x03,
        Cipher::Sm4 => 0x04,
    };
    match content {
        Content::Bytes => of_bytes,
        Content::Text => of_bytes | TEXT,
    }
}

/// The format byte of a blob of a key in a token.
const fn format_in_token(content: Content) -> u8 {
    match content {
        Content::Bytes => 0x21,
        Content::Text => 0x21 | TEXT,
    }
}

/// How a blob is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Under material in memory.
    Cipher(Cipher),
    /// Under a secret that a token has encrypted.
    InToken,
}

const fn purpose_of(cipher: Cipher) -> Purpose {
    match cipher {
        Cipher::Aes256 => Purpose::CmkEnvelope,
        Cipher::Aes128 => Purpose::CmkEnvelopeAes128,
        Cipher::Aes192 => Purpose::CmkEnvelopeAes192,
        Cipher::Sm4 => Purpose::CmkEnvelopeSm4,
    }
}

/// What the ciphertext of a key version is bound to. A blob opens only with the same six values.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// Id of the account that owns the key.
    pub account: &'a str,
    /// Region id, such as `cn-hangzhou`.
    pub region: &'a str,
    /// Id of the key.
    pub key_id: &'a str,
    /// Id of the key version, 36 characters.
    pub version_id: &'a str,
    /// Key spec, such as `Aliyun_AES_256`.
    pub spec: &'a str,
    /// Key usage, such as `ENCRYPT/DECRYPT`.
    pub usage: &'a str,
}

impl Binding<'_> {
    /// The six values in the order of the fields, each length-prefixed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let fields = [self.account, self.region, self.key_id, self.version_id, self.spec, self.usage];
        let mut out = Vec::with_capacity(fields.iter().map(|field| 4 + field.len()).sum());
        for field in fields {
            push_prefixed(&mut out, field);
        }
        out
    }
}

/// An encryption context in its canonical bytes. Made by [`canonical_context`]; the default is that of no context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalContext(Vec<u8>);

impl CanonicalContext {
    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for CanonicalContext {
    fn default() -> Self {
        Self(vec![0; 4])
    }
}

/// The canonical form of an encryption context. The caller limits its size.
pub fn canonical_context(pairs: &BTreeMap<String, String>) -> CanonicalContext {
    let mut out = Vec::with_capacity(4 + pairs.iter().map(|(key, value)| 8 + key.len() + value.len()).sum::<usize>());
    push_u32(&mut out, pairs.len());
    for (key, value) in pairs {
        push_prefixed(&mut out, key);
        push_prefixed(&mut out, value);
    }
    CanonicalContext(out)
}

fn push_prefixed(out: &mut Vec<u8>, text: &str) {
    push_u32(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Panics above `u32::MAX`; callers hold strings of requests, which are limited to a few kilobytes.
fn push_u32(out: &mut Vec<u8>, n: usize) {
    assert!(u32::try_from(n).is_ok(), "a length or count above u32::MAX cannot be encoded unambiguously");
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    out.extend_from_slice(&(n as u32).to_be_bytes());
}

/// Why nothing was encrypted. None depends on secret bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptError {
    /// The plaintext is longer than [`PLAINTEXT_BYTES_MAX`].
    PlaintextTooLong,
    /// The version id of the binding is not 36 characters of `0-9 a-z A-Z -`.
    VersionId,
    /// The cipher has failed, which it does not do with so short a plaintext.
    Cipher,
}

impl fmt::Display for EncryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlaintextTooLong => write!(f, "the plaintext is longer than {PLAINTEXT_BYTES_MAX} bytes"),
            Self::VersionId => f.write_str("the key version id is malformed"),
            Self::Cipher => f.write_str("the cipher has failed"),
        }
    }
}

impl std::error::Error for EncryptError {}

/// Encrypts bytes under the material of the key version that `binding` names, with the cipher of its spec.
pub fn encrypt(
    cipher: Cipher,
    material: &SealingKey,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    encrypt_content(cipher, Content::Bytes, material, binding, context, plaintext)
}

/// As [`encrypt`], of a plaintext that is bytes or text. Whether it is UTF-8 is the caller's business.
pub fn encrypt_content(
    cipher: Cipher,
    kind: Content,
    material: &SealingKey,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    encrypt_with_salt((cipher, kind), &crate::rng::public_array(), material, binding, context, plaintext)
}

fn encrypt_with_salt(
    (cipher, kind): (Cipher, Content),
    salt: &[u8; 32],
    material: &SealingKey,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(EncryptError::PlaintextTooLong);
    }
    if !is_version_id(binding.version_id.as_bytes()) {
        return Err(EncryptError::VersionId);
    }
    let mut out = Vec::with_capacity(BLOB_BYTES_MIN + plaintext.len());
    out.extend_from_slice(binding.version_id.as_bytes());
    out.push(format_of(cipher, kind));
    let aad = [&out, context.as_bytes()].concat();
    let purpose = purpose_of(cipher);
    sealed::seal_with_salt(cipher, &mut out, salt, material, purpose, &binding.to_bytes(), &aad, plaintext)
        .map_err(|_| EncryptError::Cipher)?;
    Ok(out)
}

/// The key version id in the header of `blob`; `None` if the length, the characters of the id or the format byte do not
/// fit. What it returns is not authenticated before [`decrypt`].
pub fn version_id(blob: &[u8]) -> Option<&str> {
    header(blob).map(|(version_id, ..)| version_id)
}

/// The cipher that the format byte of `blob` names; `None` where [`version_id`] gives none. It is not authenticated
/// before [`decrypt`].
pub fn cipher(blob: &[u8]) -> Option<Cipher> {
    header(blob).map(|(_, form, _)| match form {
        Form::Cipher(cipher) => cipher,
        Form::InToken => Cipher::Aes256,
    })
}

/// What the plaintext of `blob` is; `None` where [`version_id`] gives none. It is not authenticated before [`decrypt`].
pub fn content(blob: &[u8]) -> Option<Content> {
    header(blob).map(|(.., content)| content)
}

fn header(blob: &[u8]) -> Option<(&str, Form, Content)> {
    if !(BLOB_BYTES_MIN..=BLOB_BYTES_MAX).contains(&blob.len()) {
        return None;
    }
    let (id, rest) = blob.split_at_checked(VERSION_ID_BYTES)?;
    let format = rest.first()?;
    let content = if format & TEXT == 0 { Content::Bytes } else { Content::Text };
    let (form, more) = if *format == format_in_token(content) {
        (Form::InToken, token::MORE_BYTES)
    } else {
        (Form::Cipher(Cipher::ALL.into_iter().find(|cipher| format_of(*cipher, content) == *format)?), 0)
    };
    let plaintext_bytes = blob.len().checked_sub(BLOB_BYTES_MIN + more)?;
    if plaintext_bytes > PLAINTEXT_BYTES_MAX || !is_version_id(id) {
        return None;
    }
    Some((std::str::from_utf8(id).ok()?, form, content))
}

fn is_version_id(id: &[u8]) -> bool {
    id.len() == VERSION_ID_BYTES && id.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Decrypts a blob that [`encrypt`] or [`encrypt_content`] made with the same material, binding and context. Once it has
/// opened, what [`content`] says of it is authentic too.
pub fn decrypt(
    material: &SealingKey,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    blob: &[u8],
) -> Result<SecretBytes, OpenError> {
    let cipher = match header(blob) {
        Some((version_id, Form::Cipher(cipher), _)) if version_id == binding.version_id => cipher,
        _ => return Err(OpenError),
    };
    let (header, sealed) = blob.split_at_checked(HEADER_BYTES).ok_or(OpenError)?;
    let aad = [header, context.as_bytes()].concat();
    sealed::open_with(cipher, material, purpose_of(cipher), &binding.to_bytes(), &aad, sealed)
}

#[cfg(test)]
mod tests;
