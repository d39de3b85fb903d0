//! The `CiphertextBlob` of a symmetric customer master key (CMK).
//!
//! # Layout
//!
//! | offset | bytes  | field                                                               |
//! |--------|--------|---------------------------------------------------------------------|
//! | 0      | 36     | key version id, ASCII, each of `0-9 a-z A-Z -`                      |
//! | 36     | 1      | format: `0x01`                                                      |
//! | 37     | 80 + n | the layout of [`crate::sealed`] around a plaintext of n ≤ 6144 bytes |
//!
//! Format `0x01` seals with
//!
//! - key: the material of the key version, 16 to 64 bytes,
//! - purpose: `cmk-envelope`,
//! - binding: account, region, key id, version id, spec and usage in this order, each as its length in bytes (u32,
//!   big-endian) and its UTF-8 bytes,
//! - AAD: bytes 0 to 36 of the blob, then the canonical encryption context.
//!
//! The canonical encryption context is the number of pairs (u32, big-endian), then the pairs in ascending byte order of
//! their keys, each as key and value, each as its length in bytes (u32, big-endian) and its UTF-8 bytes. No context and
//! a context without pairs are the same four zero bytes.
//!
//! Formats `0x02` (AES-128), `0x03` (SM4) and above are reserved. A blob of an unknown format does not open. A format
//! never changes its meaning.

use std::collections::BTreeMap;
use std::fmt;

use crate::sealed::{self, OpenError};
use crate::secret::SecretBytes;
use crate::wrap::Purpose;

/// Length of a key version id in bytes.
pub const VERSION_ID_BYTES: usize = 36;

/// The longest plaintext that [`encrypt`] takes, in bytes.
pub const PLAINTEXT_BYTES_MAX: usize = 6144;

/// The shortest blob, in bytes: that of an empty plaintext.
pub const BLOB_BYTES_MIN: usize = HEADER_BYTES + sealed::OVERHEAD_BYTES;

/// The longest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = BLOB_BYTES_MIN + PLAINTEXT_BYTES_MAX;

const HEADER_BYTES: usize = VERSION_ID_BYTES + 1;
const FORMAT_1: u8 = 0x01;

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

/// Why nothing was encrypted. Each is a mistake of the caller; none depends on secret bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptError {
    /// The plaintext is longer than [`PLAINTEXT_BYTES_MAX`].
    PlaintextTooLong,
    /// The version id of the binding is not 36 characters of `0-9 a-z A-Z -`.
    VersionId,
    /// The key material is not 16 to 64 bytes long.
    Material,
}

impl fmt::Display for EncryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlaintextTooLong => "the plaintext is longer than 6144 bytes",
            Self::VersionId => "the key version id is malformed",
            Self::Material => "the key material is not 16 to 64 bytes long",
        })
    }
}

impl std::error::Error for EncryptError {}

/// Encrypts `plaintext` under the material of the key version that `binding` names.
pub fn encrypt(
    material: &SecretBytes,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    encrypt_with_salt(&crate::rng::array(), material, binding, context, plaintext)
}

fn encrypt_with_salt(
    salt: &[u8; 32],
    material: &SecretBytes,
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
    out.push(FORMAT_1);
    let aad = [&out, context.as_bytes()].concat();
    let key = material.expose();
    let purpose = Purpose::CmkEnvelope.label();
    sealed::seal_with_salt(&mut out, salt, key, purpose, &binding.to_bytes(), &aad, plaintext)
        .map_err(|_| EncryptError::Material)?;
    Ok(out)
}

/// The key version id in the header of `blob`; `None` if the length, the characters of the id or the format byte do not
/// fit. What it returns is not authenticated before [`decrypt`].
pub fn version_id(blob: &[u8]) -> Option<&str> {
    if !(BLOB_BYTES_MIN..=BLOB_BYTES_MAX).contains(&blob.len()) {
        return None;
    }
    let (id, rest) = blob.split_at_checked(VERSION_ID_BYTES)?;
    if rest.first() != Some(&FORMAT_1) || !is_version_id(id) {
        return None;
    }
    std::str::from_utf8(id).ok()
}

fn is_version_id(id: &[u8]) -> bool {
    id.len() == VERSION_ID_BYTES && id.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Decrypts a blob that [`encrypt`] made with the same material, binding and context.
pub fn decrypt(
    material: &SecretBytes,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    blob: &[u8],
) -> Result<SecretBytes, OpenError> {
    if version_id(blob) != Some(binding.version_id) {
        return Err(OpenError);
    }
    let (header, sealed) = blob.split_at_checked(HEADER_BYTES).ok_or(OpenError)?;
    let aad = [header, context.as_bytes()].concat();
    sealed::open(material.expose(), Purpose::CmkEnvelope.label(), &binding.to_bytes(), &aad, sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::{Vector, section};
    use proptest::prelude::*;

    const BINDING: Binding<'static> = Binding {
        account: "1234567890123456",
        region: "cn-hangzhou",
        key_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
        version_id: "2ab1a983-7072-4bbc-a582-584b5bd8edf4",
        spec: "Aliyun_AES_256",
        usage: "ENCRYPT/DECRYPT",
    };

    fn material() -> SecretBytes {
        SecretBytes::new(vec![7; 32])
    }

    fn context(pairs: &[(&str, &str)]) -> CanonicalContext {
        canonical_context(&pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn binding_of(v: &Vector) -> Binding<'_> {
        Binding {
            account: v.text("account"),
            region: v.text("region"),
            key_id: v.text("key_id"),
            version_id: v.text("version_id"),
            spec: v.text("spec"),
            usage: v.text("usage"),
        }
    }

    #[test]
    fn fixed_vectors() {
        for v in section("envelope") {
            let name = v.text("name");
            let binding = binding_of(&v);
            assert_eq!(binding.to_bytes(), v.bytes("binding"), "{name}");
            let pairs: Option<BTreeMap<String, String>> = serde_json::from_value(v.value("context").clone()).unwrap();
            let context = pairs.as_ref().map(canonical_context).unwrap_or_default();
            assert_eq!(context.as_bytes(), v.bytes("canonical_context"), "{name}");
            let material = SecretBytes::new(v.bytes("material"));
            let plaintext = v.bytes("plaintext");
            let blob = encrypt_with_salt(&v.salt(), &material, &binding, &context, &plaintext).unwrap();
            assert_eq!(blob, v.bytes("blob"), "{name}");
            assert_eq!(version_id(&blob), Some(binding.version_id), "{name}");
            assert_eq!(decrypt(&material, &binding, &context, &blob).unwrap().expose(), plaintext, "{name}");
        }
    }

    #[test]
    fn no_bit_can_be_flipped() {
        let context = context(&[("a", "1")]);
        let blob = encrypt(&material(), &BINDING, &context, b"plaintext").unwrap();
        for bit in 0..blob.len() * 8 {
            let mut damaged = blob.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decrypt(&material(), &BINDING, &context, &damaged).is_err(), "bit {bit}");
            // A version id is in the AAD, so it does not open under a binding that follows the damage either.
            if let Some(version_id) = version_id(&damaged) {
                let binding = Binding { version_id, ..BINDING };
                assert!(decrypt(&material(), &binding, &context, &damaged).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn no_byte_can_be_cut_or_added() {
        let blob = encrypt(&material(), &BINDING, &CanonicalContext::default(), b"plaintext").unwrap();
        let opens = |blob: &[u8]| decrypt(&material(), &BINDING, &CanonicalContext::default(), blob).is_ok();
        assert!(opens(&blob));
        for len in 0..blob.len() {
            assert!(!opens(&blob[..len]), "first {len}");
            assert!(!opens(&blob[blob.len() - len..]), "last {len}");
            assert_eq!(version_id(&blob[..len]).is_some(), len >= BLOB_BYTES_MIN, "first {len}");
        }
        assert!(!opens(&[&blob[..], &[0]].concat()));
    }

    #[test]
    fn every_field_of_the_binding_counts() {
        let none = CanonicalContext::default();
        let blob = encrypt(&material(), &BINDING, &none, b"plaintext").unwrap();
        let version_id = "2ab1a983-7072-4bbc-a582-584b5bd8edf5";
        let others = [
            Binding { account: "1234567890123457", ..BINDING },
            Binding { region: "cn-shanghai", ..BINDING },
            Binding { key_id: version_id, ..BINDING },
            Binding { version_id, ..BINDING },
            Binding { spec: "Aliyun_AES_128", ..BINDING },
            Binding { usage: "SIGN/VERIFY", ..BINDING },
            Binding { account: "1234567890123456c", region: "n-hangzhou", ..BINDING },
        ];
        for other in others {
            assert!(decrypt(&material(), &other, &none, &blob).is_err(), "{other:?}");
        }
        assert!(decrypt(&SecretBytes::new(vec![8; 32]), &BINDING, &none, &blob).is_err());
    }

    #[test]
    fn the_context_counts() {
        let contexts = [
            context(&[]),
            context(&[("", "")]),
            context(&[("a", "1")]),
            context(&[("a", "12")]),
            context(&[("a1", "")]),
            context(&[("a", "1"), ("b", "2")]),
            context(&[("a", "2"), ("b", "1")]),
        ];
        for (i, sealed_with) in contexts.iter().enumerate() {
            let blob = encrypt(&material(), &BINDING, sealed_with, b"plaintext").unwrap();
            for (j, opened_with) in contexts.iter().enumerate() {
                assert_eq!(decrypt(&material(), &BINDING, opened_with, &blob).is_ok(), i == j, "{i} {j}");
            }
        }
        assert_eq!(context(&[]), CanonicalContext::default());
    }

    #[test]
    fn only_format_1_opens() {
        let none = CanonicalContext::default();
        let mut blob = encrypt(&material(), &BINDING, &none, b"").unwrap();
        for format in 0..=255 {
            blob[VERSION_ID_BYTES] = format;
            assert_eq!(version_id(&blob).is_some(), format == 1, "{format}");
            assert_eq!(decrypt(&material(), &BINDING, &none, &blob).is_ok(), format == 1, "{format}");
        }
    }

    #[test]
    fn version_ids_have_36_letters_digits_and_hyphens() {
        let mut blob = encrypt(&material(), &BINDING, &CanonicalContext::default(), b"").unwrap();
        for byte in 0..=255_u8 {
            blob[5] = byte;
            assert_eq!(version_id(&blob).is_some(), byte.is_ascii_alphanumeric() || byte == b'-', "{byte}");
        }
        for wrong in ["", "2ab1a983", "2ab1a983-7072-4bbc-a582-584b5bd8edf44", "2ab1a983_7072_4bbc_a582_584b5bd8edf4"] {
            let binding = Binding { version_id: wrong, ..BINDING };
            let outcome = encrypt(&material(), &binding, &CanonicalContext::default(), b"");
            assert_eq!(outcome.unwrap_err(), EncryptError::VersionId, "{wrong}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        let none = CanonicalContext::default();
        let longest = vec![0; PLAINTEXT_BYTES_MAX];
        let mut blob = encrypt(&material(), &BINDING, &none, &longest).unwrap();
        assert_eq!(blob.len(), BLOB_BYTES_MAX);
        assert_eq!(decrypt(&material(), &BINDING, &none, &blob).unwrap().expose(), longest);
        blob.push(0);
        assert_eq!(version_id(&blob), None);
        let outcome = encrypt(&material(), &BINDING, &none, &[0; PLAINTEXT_BYTES_MAX + 1]);
        assert_eq!(outcome.unwrap_err(), EncryptError::PlaintextTooLong);
        for len in [0, 15, 65] {
            let outcome = encrypt(&SecretBytes::new(vec![7; len]), &BINDING, &none, b"");
            assert_eq!(outcome.unwrap_err(), EncryptError::Material, "{len}");
        }
    }

    proptest! {
        #[test]
        fn decrypts_what_it_encrypted(
            material in prop::collection::vec(any::<u8>(), sealed::KEY_BYTES),
            version_id in "[0-9a-zA-Z-]{36}",
            account: String,
            key_id: String,
            pairs: BTreeMap<String, String>,
            plaintext: Vec<u8>,
        ) {
            let material = SecretBytes::new(material);
            let binding = Binding { account: &account, key_id: &key_id, version_id: &version_id, ..BINDING };
            let context = canonical_context(&pairs);
            let blob = encrypt(&material, &binding, &context, &plaintext).unwrap();
            prop_assert_eq!(super::version_id(&blob), Some(&*version_id));
            let decrypted = decrypt(&material, &binding, &context, &blob).unwrap();
            prop_assert_eq!(decrypted.expose(), plaintext);
        }

        #[test]
        fn no_bytes_panic(
            id in prop_oneof!["[0-9a-zA-Z-]{36}".prop_map(String::into_bytes), any::<Vec<u8>>()],
            format in prop_oneof![Just(1), any::<u8>()],
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let blob = [&id[..], &[format], &rest].concat();
            let id = version_id(&blob);
            let binding = Binding { version_id: id.unwrap_or_default(), ..BINDING };
            prop_assert!(decrypt(&material(), &binding, &CanonicalContext::default(), &blob).is_err());
        }

        #[test]
        fn canonical_contexts_are_equal_only_for_equal_pairs(
            a in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
            b in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
        ) {
            prop_assert_eq!(canonical_context(&a) == canonical_context(&b), a == b);
        }
    }
}
