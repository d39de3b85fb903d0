//! The `CiphertextBlob` of a symmetric key in a token, which does not derive keys: it encrypts with AES-GCM, and that is
//! all that is asked of it.
//!
//! # Layout
//!
//! | offset | bytes  | field                                                                   |
//! |--------|--------|-------------------------------------------------------------------------|
//! | 0      | 36     | key version id, as in [`crate::envelope`]                                |
//! | 36     | 1      | format: `0x21`, or `0x31` around text                                    |
//! | 37     | 12     | nonce for the token                                                     |
//! | 49     | 32     | message secret, encrypted by the token                                  |
//! | 81     | 16     | tag of that                                                             |
//! | 97     | 80 + n | the layout of [`crate::sealed`] around a plaintext of n ≤ 6144 bytes    |
//!
//! ```text
//! message secret = 32 random bytes, for this message alone
//! fields at 49 and 81 = AES-GCM(key in the token, nonce, AAD = SHA-256(label of `cmk-token-secret` ‖ 0x00 ‖ binding),
//!                               message secret)
//! ```
//!
//! The last field is sealed with AES-256, whatever the size of the key in the token, with
//!
//! - key: the message secret,
//! - purpose: `cmk-envelope-token`,
//! - binding: that of [`crate::envelope`],
//! - AAD: bytes 0 to 96 of the blob, then the canonical encryption context.
//!
//! - The commitment is to message secret and binding, and the binding names the key version: no blob opens under two.
//! - The AAD for the token is a hash, as some tokens take few bytes of it.
//! - Nonces must not repeat under one key. [`Nonces`] says how they are made, and how many are safe.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{
    BLOB_BYTES_MIN, Binding, CanonicalContext, Cipher, Content, EncryptError, Form, HEADER_BYTES, PLAINTEXT_BYTES_MAX,
    format_in_token, header, is_version_id,
};
use crate::hash::sha256;
use crate::purpose::Purpose;
use crate::rng;
use crate::sealed::{self, OpenError, SealingKey};
use crate::secret::{Key256, SecretBytes};

/// Length of a nonce, in bytes.
pub const NONCE_BYTES: usize = 12;
/// Length of a message secret with its tag, in bytes.
pub const WRAPPED_BYTES: usize = 32 + 16;
/// How much longer such a blob is than others, in bytes.
pub(super) const MORE_BYTES: usize = NONCE_BYTES + WRAPPED_BYTES;

/// The AAD with which the token encrypts message secrets.
pub fn secret_aad(binding: &Binding<'_>) -> [u8; 32] {
    sha256(&[Purpose::CmkTokenSecret.label().as_bytes(), b"\0", &binding.to_bytes()])
}

/// Encrypts under a message secret that the token has encrypted: `wrapped`, with `nonce`.
pub fn encrypt(
    kind: Content,
    secret: &Key256,
    (nonce, wrapped): (&[u8; NONCE_BYTES], &[u8; WRAPPED_BYTES]),
    binding: &Binding<'_>,
    context: &CanonicalContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    encrypt_with_salt(kind, &rng::public_array(), secret, (nonce, wrapped), binding, context, plaintext)
}

fn encrypt_with_salt(
    kind: Content,
    salt: &[u8; 32],
    secret: &Key256,
    (nonce, wrapped): (&[u8; NONCE_BYTES], &[u8; WRAPPED_BYTES]),
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
    let mut out = Vec::with_capacity(BLOB_BYTES_MIN + MORE_BYTES + plaintext.len());
    out.extend_from_slice(binding.version_id.as_bytes());
    out.push(format_in_token(kind));
    out.extend_from_slice(nonce);
    out.extend_from_slice(wrapped);
    let aad = [&out, context.as_bytes()].concat();
    let key = SealingKey::new(secret.expose()).map_err(|_| EncryptError::Cipher)?;
    let purpose = Purpose::CmkEnvelopeToken;
    sealed::seal_with_salt(Cipher::Aes256, &mut out, salt, &key, purpose, &binding.to_bytes(), &aad, plaintext)
        .map_err(|_| EncryptError::Cipher)?;
    Ok(out)
}

/// Nonce and encrypted message secret of a blob of the version that `binding` names. Not authenticated before
/// [`decrypt`].
pub fn wrapped_secret<'b>(
    binding: &Binding<'_>,
    blob: &'b [u8],
) -> Result<(&'b [u8; NONCE_BYTES], &'b [u8; WRAPPED_BYTES]), OpenError> {
    match header(blob) {
        Some((version_id, Form::InToken, _)) if version_id == binding.version_id => {}
        _ => return Err(OpenError),
    }
    let (_, rest) = blob.split_at_checked(HEADER_BYTES).ok_or(OpenError)?;
    let (nonce, rest) = rest.split_first_chunk().ok_or(OpenError)?;
    Ok((nonce, rest.first_chunk().ok_or(OpenError)?))
}

/// Decrypts a blob under the message secret that the token has made of [`wrapped_secret`].
pub fn decrypt(
    secret: &Key256,
    binding: &Binding<'_>,
    context: &CanonicalContext,
    blob: &[u8],
) -> Result<SecretBytes, OpenError> {
    wrapped_secret(binding, blob)?;
    let (head, sealed) = blob.split_at_checked(HEADER_BYTES + MORE_BYTES).ok_or(OpenError)?;
    let aad = [head, context.as_bytes()].concat();
    let key = SealingKey::new(secret.expose()).map_err(|_| OpenError)?;
    sealed::open_with(Cipher::Aes256, &key, Purpose::CmkEnvelopeToken, &binding.to_bytes(), &aad, sealed)
}

/// Nonces for keys in a token: 9 random bytes, drawn at the start and after every 2^24 nonces, and a counter of 3 bytes.
/// One for all keys of a process.
///
/// With n drawings, over all starts of all nodes that use a key, the chance that two are equal is below n² / 2^73: n may
/// be 2^20 before it reaches 2^-33, which is what NIST SP 800-38D accepts (section 8.3). That is 2^44 messages, or a million
/// starts. Wholly random nonces would reach it after 2^32 messages.
pub struct Nonces {
    prefix: Mutex<[u8; 9]>,
    counter: AtomicU32,
}

/// Nonces of one prefix.
const PER_PREFIX: u32 = 1 << 24;

impl Nonces {
    /// With a new prefix.
    pub fn new() -> Self {
        Self { prefix: Mutex::new(prefix()), counter: AtomicU32::new(0) }
    }

    /// The next one.
    pub fn next(&self) -> [u8; NONCE_BYTES] {
        // Prefix and counter change together.
        let mut prefix_now = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.counter.load(Ordering::Relaxed);
        if count == PER_PREFIX {
            *prefix_now = prefix();
        }
        let count = count % PER_PREFIX;
        self.counter.store(count + 1, Ordering::Relaxed);
        let mut nonce = [0; NONCE_BYTES];
        let (head, tail) = nonce.split_at_mut(9);
        head.copy_from_slice(&*prefix_now);
        let [_, counted @ ..] = count.to_be_bytes();
        tail.copy_from_slice(&counted);
        nonce
    }
}

impl Default for Nonces {
    fn default() -> Self {
        Self::new()
    }
}

/// Not of zero bytes alone: that nonce is for tries of a key (`jomae-hsm`).
fn prefix() -> [u8; 9] {
    loop {
        let prefix = rng::public_array();
        if prefix != [0; 9] {
            return prefix;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use proptest::prelude::*;

    use super::super::{self as envelope, canonical_context, content, version_id};
    use super::*;

    const BINDING: Binding<'static> = Binding {
        account: "1234567890123456",
        region: "cn-hangzhou",
        key_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
        version_id: "2ab1a983-7072-4bbc-a582-584b5bd8edf4",
        spec: "Aliyun_AES_256",
        usage: "ENCRYPT/DECRYPT",
    };

    /// What a token does.
    struct Token(LessSafeKey);

    impl Token {
        fn new(key: [u8; 32]) -> Self {
            Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap()))
        }

        fn seal(&self, nonce: [u8; 12], aad: &[u8], secret: &Key256) -> [u8; WRAPPED_BYTES] {
            let mut bytes = secret.expose().to_vec();
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.0.seal_in_place_append_tag(nonce, Aad::from(aad), &mut bytes).unwrap();
            bytes.try_into().unwrap()
        }

        fn open(&self, nonce: [u8; 12], aad: &[u8], wrapped: &[u8]) -> Option<Key256> {
            let mut bytes = wrapped.to_vec();
            let nonce = Nonce::assume_unique_for_key(nonce);
            Key256::from_slice(self.0.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?)
        }

        fn decrypt(&self, binding: &Binding<'_>, context: &CanonicalContext, blob: &[u8]) -> Option<SecretBytes> {
            let (nonce, wrapped) = wrapped_secret(binding, blob).ok()?;
            let secret = self.open(*nonce, &secret_aad(binding), wrapped)?;
            decrypt(&secret, binding, context, blob).ok()
        }
    }

    fn made(kind: Content, context: &CanonicalContext, plaintext: &[u8]) -> Vec<u8> {
        let secret = Key256::from_slice(&[9; 32]).unwrap();
        let nonce = [3; 12];
        let wrapped = Token::new([7; 32]).seal(nonce, &secret_aad(&BINDING), &secret);
        encrypt_with_salt(kind, &[5; 32], &secret, (&nonce, &wrapped), &BINDING, context, plaintext).unwrap()
    }

    #[test]
    fn a_fixed_blob_stays_as_it_is() {
        let blob = made(Content::Bytes, &CanonicalContext::default(), b"plaintext");
        assert_eq!(blob.len(), BLOB_BYTES_MIN + MORE_BYTES + 9);
        assert_eq!(hex::encode(sha256(&[&blob])), FIXED);
        assert_eq!((version_id(&blob), content(&blob)), (Some(BINDING.version_id), Some(Content::Bytes)));
        let text = made(Content::Text, &CanonicalContext::default(), b"plaintext");
        assert_eq!((text[36], content(&text)), (0x31, Some(Content::Text)));
    }

    #[test]
    fn neither_kind_of_blob_passes_for_the_other() {
        let context = CanonicalContext::default();
        let blob = made(Content::Bytes, &context, b"plaintext");
        let material = SealingKey::new(&[9; 32]).unwrap();
        assert!(envelope::decrypt(&material, &BINDING, &context, &blob).is_err());
        let other = envelope::encrypt(Cipher::Aes256, &material, &BINDING, &context, &[1; 200]).unwrap();
        assert!(wrapped_secret(&BINDING, &other).is_err());
    }

    #[test]
    fn only_the_same_names_open() {
        let (token, context) = (Token::new([7; 32]), CanonicalContext::default());
        let blob = made(Content::Bytes, &context, b"plaintext");
        assert_eq!(token.decrypt(&BINDING, &context, &blob).unwrap().expose(), b"plaintext");
        let others = [
            Binding { account: "1234567890123457", ..BINDING },
            Binding { region: "cn-beijing", ..BINDING },
            Binding { key_id: "other", ..BINDING },
            Binding { version_id: "2ab1a983-7072-4bbc-a582-584b5bd8edf5", ..BINDING },
            Binding { spec: "Aliyun_AES_128", ..BINDING },
            Binding { usage: "SIGN/VERIFY", ..BINDING },
        ];
        for other in &others {
            assert!(token.decrypt(other, &context, &blob).is_none(), "{other:?}");
        }
        // Even where somebody has the message secret.
        let secret = Key256::from_slice(&[9; 32]).unwrap();
        for other in &others {
            assert!(decrypt(&secret, other, &context, &blob).is_err(), "{other:?}");
        }
        assert!(Token::new([8; 32]).decrypt(&BINDING, &context, &blob).is_none());
        let pairs = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert!(token.decrypt(&BINDING, &canonical_context(&pairs), &blob).is_none());
    }

    #[test]
    fn nonces_differ_over_a_change_of_prefix() {
        let nonces = Nonces::new();
        let first = nonces.next();
        nonces.counter.store(PER_PREFIX - 2, Ordering::Relaxed);
        let seen: BTreeSet<[u8; 12]> = (0..5).map(|_| nonces.next()).chain([first]).collect();
        assert_eq!(seen.len(), 6);
        let prefixes: BTreeSet<&[u8]> = seen.iter().map(|nonce| &nonce[..9]).collect();
        assert_eq!(prefixes.len(), 2);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(plaintext in proptest::collection::vec(any::<u8>(), 0..300), value in ".{0,20}") {
            let context = canonical_context(&BTreeMap::from([("k".to_owned(), value)]));
            let blob = made(Content::Bytes, &context, &plaintext);
            let opened = Token::new([7; 32]).decrypt(&BINDING, &context, &blob).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext[..]);
        }

        #[test]
        fn no_change_opens(at in any::<proptest::sample::Index>(), change in 1..=255_u8) {
            let context = CanonicalContext::default();
            let mut blob = made(Content::Bytes, &context, b"plaintext");
            let at = at.index(blob.len());
            blob[at] ^= change;
            prop_assert!(Token::new([7; 32]).decrypt(&BINDING, &context, &blob).is_none());
        }

        #[test]
        fn any_bytes_are_refused_or_read(blob in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = version_id(&blob);
            let secret = Key256::from_slice(&[9; 32]).unwrap();
            prop_assert!(decrypt(&secret, &BINDING, &CanonicalContext::default(), &blob).is_err());
        }
    }

    /// SHA-256 of what an independent program (Python's hmac, hashlib and cryptography) makes of the same inputs.
    const FIXED: &str = "e240895478fa8c436dcee3da42df76136883e809f8c7d0d884b203ebbb1651be";
}
