//! The one authenticated-encryption construction of the product. Everything that is encrypted goes through it, with
//! AES-256 except where [`crate::envelope`] serves a key of another cipher.
//!
//! # Layout, version 1
//!
//! | offset    | bytes | field                                       |
//! |-----------|-------|---------------------------------------------|
//! | 0         | 32    | salt, random                                |
//! | 32        | 32    | key commitment                              |
//! | 64        | n     | AES-256-GCM ciphertext, as long as the plaintext |
//! | 64 + n    | 16    | AES-256-GCM tag                             |
//!
//! ```text
//! message key (32) ‖ commitment (32) = HKDF-SHA256(
//!     IKM  = the key, 16 to 64 bytes,
//!     salt = the salt field,
//!     info = label of the purpose ‖ 0x00 ‖ binding,
//!     L    = 64)
//! ciphertext ‖ tag = AES-256-GCM(message key, nonce = twelve zero bytes, AAD = aad, plaintext)
//! ```
//!
//! With AES-128, AES-192 or SM4 the message key has 16, 24 or 16 bytes and L is 48, 56 or 48; the commitment is always the
//! last 32 bytes. Each cipher has purposes of its own, so no two ever share derived bytes.
//!
//! - The [`Purpose`] separates the uses of a key; its label holds no NUL byte. The binding names what the key belongs to; the AAD holds what else must match. A binding or AAD of several parts must be length-prefixed by the
//!   caller.
//! - The message key is used once, since the salt is new for each message; therefore the constant nonce is safe and
//!   there is no limit on the number of messages under one key.
//! - The commitment makes it infeasible to find a message that opens under two keys, purposes or bindings, which
//!   AES-GCM alone does not promise. It is compared in constant time before AES is touched.
//! - Every failure to open is the same [`OpenError`].

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::purpose::Purpose;
use crate::rng;
use crate::secret::{SecretBytes, assert_not_impl, ct_eq};
use crate::sym::{Cipher, OneTimeKey, TAG_BYTES};

const SALT_BYTES: usize = 32;
const COMMITMENT_BYTES: usize = 32;
/// Of SHA-256.
const HASH_BYTES: usize = 32;
const HEAD_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;
const MESSAGE_KEY_BYTES_MAX: usize = 32;

/// What sealing adds to the length of the plaintext, in bytes.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES;

/// The shortest and the longest key that a [`SealingKey`] is made of, in bytes.
pub const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Nothing was sealed: the key is not 16 to 64 bytes long, or the plaintext is longer than AES-GCM allows (64 GiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealError;

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key or the plaintext has a length that cannot be sealed")
    }
}

impl std::error::Error for SealError {}

/// The sealed bytes do not open: wrong key, purpose, binding or AAD, or damage. It does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenError;

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sealed bytes do not open")
    }
}

impl std::error::Error for OpenError {}

/// A key that is ready to seal and open: what HKDF-Extract makes of it, as the state of an HMAC. Wiped on drop.
pub struct SealingKey(hmac::Key);

impl SealingKey {
    /// Of a key of 16 to 64 bytes.
    pub fn new(key: &[u8]) -> Result<Self, SealError> {
        if !KEY_BYTES.contains(&key.len()) {
            return Err(SealError);
        }
        // Without a salt it is as many zero bytes as a hash has (RFC 5869 section 2.2).
        let salt = hmac::Key::new(hmac::HMAC_SHA256, &[0; HASH_BYTES]);
        let mut extracted = Zeroizing::new([0; HASH_BYTES]);
        hmac::sign_to_buffer(&salt, key, &mut *extracted).map_err(|_| SealError)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*extracted)))
    }

    /// HKDF-Expand (RFC 5869 section 2.3). Not the library's, which begins each time with the key of the HMAC.
    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Option<()> {
        let info_bytes: usize = info.iter().map(|part| part.len()).sum();
        let mut message = Zeroizing::new(Vec::with_capacity(HASH_BYTES + info_bytes + 1));
        message.resize(HASH_BYTES, 0);
        for part in info {
            message.extend_from_slice(part);
        }
        message.push(0);
        let mut block = Zeroizing::new([0; HASH_BYTES]);
        for (nth, out) in out.chunks_mut(HASH_BYTES).enumerate() {
            *message.last_mut()? = u8::try_from(nth + 1).ok()?;
            let from = if nth == 0 { HASH_BYTES } else { 0 };
            hmac::sign_to_buffer(&self.0, message.get(from..)?, &mut *block).ok()?;
            message.get_mut(..HASH_BYTES)?.copy_from_slice(&*block);
            out.copy_from_slice(block.get(..out.len())?);
        }
        Some(())
    }
}

assert_not_impl!(SealingKey: fmt::Debug, fmt::Display, Clone, PartialEq, serde::Serialize);

/// Encrypts `plaintext` in the layout of the module.
pub fn seal(
    key: &SealingKey,
    purpose: Purpose,
    binding: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(OVERHEAD_BYTES.saturating_add(plaintext.len()));
    seal_onto(&mut out, key, purpose, binding, aad, plaintext)?;
    Ok(out)
}

/// As [`seal`], appending to `out`, which keeps its length on an error.
pub(crate) fn seal_onto(
    out: &mut Vec<u8>,
    key: &SealingKey,
    purpose: Purpose,
    binding: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(), SealError> {
    seal_with_salt(Cipher::Aes256, out, &rng::public_array(), key, purpose, binding, aad, plaintext)
}

/// As [`seal_onto`] with a given salt. Only tests may choose the salt: two messages under the same salt, key, purpose
/// and binding would share a key and nonce.
#[expect(clippy::too_many_arguments, reason = "all of them go into the message; a struct would only rename them")]
pub(crate) fn seal_with_salt(
    cipher: Cipher,
    out: &mut Vec<u8>,
    salt: &[u8; SALT_BYTES],
    key: &SealingKey,
    purpose: Purpose,
    binding: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(), SealError> {
    let derived = Derived::new(cipher, key, salt, purpose, binding).ok_or(SealError)?;
    let message_key = derived.message_key().ok_or(SealError)?;
    let start = out.len();
    out.reserve_exact(OVERHEAD_BYTES.saturating_add(plaintext.len()));
    out.extend_from_slice(salt);
    out.extend_from_slice(derived.commitment());
    let head_end = out.len();
    out.resize(head_end + plaintext.len() + TAG_BYTES, 0);
    let (_, body) = out.split_at_mut(head_end);
    let sealed = body
        .split_last_chunk_mut::<TAG_BYTES>()
        .and_then(|(ciphertext, tag)| message_key.seal(aad, plaintext, ciphertext, tag));
    if sealed.is_none() {
        out.truncate(start);
        return Err(SealError);
    }
    Ok(())
}

/// Decrypts what [`seal`] made with the same `key`, `purpose`, `binding` and `aad`.
pub fn open(
    key: &SealingKey,
    purpose: Purpose,
    binding: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    open_with(Cipher::Aes256, key, purpose, binding, aad, sealed)
}

/// As [`open`] for a message of `cipher`.
pub(crate) fn open_with(
    cipher: Cipher,
    key: &SealingKey,
    purpose: Purpose,
    binding: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_BYTES>().ok_or(OpenError)?;
    let (commitment, rest) = rest.split_first_chunk::<COMMITMENT_BYTES>().ok_or(OpenError)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(OpenError)?;
    let derived = Derived::new(cipher, key, salt, purpose, binding).ok_or(OpenError)?;
    if !ct_eq(derived.commitment(), commitment) {
        return Err(OpenError);
    }
    let message_key = derived.message_key().ok_or(OpenError)?;
    let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
    message_key.open(aad, ciphertext, tag, &mut plaintext).ok_or(OpenError)?;
    Ok(SecretBytes::new(std::mem::take(&mut *plaintext)))
}

/// The message key and the commitment behind it.
struct Derived {
    cipher: Cipher,
    okm: Zeroizing<[u8; MESSAGE_KEY_BYTES_MAX + COMMITMENT_BYTES]>,
}

impl Derived {
    fn new(
        cipher: Cipher,
        key: &SealingKey,
        salt: &[u8; SALT_BYTES],
        purpose: Purpose,
        binding: &[u8],
    ) -> Option<Self> {
        let mut okm = Zeroizing::new([0; MESSAGE_KEY_BYTES_MAX + COMMITMENT_BYTES]);
        let used = okm.get_mut(..cipher.key_bytes() + COMMITMENT_BYTES)?;
        key.expand(&[purpose.label().as_bytes(), &[0], salt, binding], used)?;
        Some(Self { cipher, okm })
    }

    fn message_key(&self) -> Option<OneTimeKey> {
        OneTimeKey::new(self.cipher, self.okm.get(..self.cipher.key_bytes())?)
    }

    fn commitment(&self) -> &[u8] {
        let (_, rest) = self.okm.split_at(self.cipher.key_bytes());
        rest.split_at(COMMITMENT_BYTES).0
    }
}

/// HKDF-SHA256 (RFC 5869) into the whole of `out`; `None` if `out` is longer than 8160 bytes.
pub(crate) fn hkdf_sha256(key: &[u8], salt: &[u8], info: &[&[u8]], out: &mut [u8]) -> Option<()> {
    struct OutBytes(usize);
    impl hkdf::KeyType for OutBytes {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    let okm = prk.expand(info, OutBytes(out.len())).ok()?;
    okm.fill(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::section;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];

    fn key_of(key: &[u8]) -> SealingKey {
        SealingKey::new(key).unwrap()
    }

    fn purpose(name: &str) -> Purpose {
        let of_name = |each: &Purpose| each.label().strip_prefix("jomae/v1/") == Some(name);
        Purpose::ALL.iter().copied().find(of_name).unwrap()
    }

    #[test]
    fn fixed_vectors() {
        for v in section("sealed") {
            let (key, binding, aad, plaintext) =
                (v.bytes("key"), v.bytes("binding"), v.bytes("aad"), v.bytes("plaintext"));
            let purpose = purpose(v.text("purpose"));
            let key = key_of(&key);
            let derived = Derived::new(Cipher::Aes256, &key, &v.salt(), purpose, &binding).unwrap();
            assert_eq!(derived.okm[..32], v.bytes("message_key"), "{}", v.text("name"));
            assert_eq!(derived.commitment(), v.bytes("commitment"), "{}", v.text("name"));
            let mut sealed = Vec::new();
            seal_with_salt(Cipher::Aes256, &mut sealed, &v.salt(), &key, purpose, &binding, &aad, &plaintext).unwrap();
            assert_eq!(sealed, v.bytes("sealed"), "{}", v.text("name"));
            assert_eq!(open(&key, purpose, &binding, &aad, &sealed).unwrap().expose(), plaintext);
        }
    }

    #[test]
    fn no_bit_can_be_flipped() {
        let sealed = seal(&key_of(&KEY), Purpose::Record, b"binding", b"aad", b"plaintext").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key_of(&KEY), Purpose::Record, b"binding", b"aad", &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn no_byte_can_be_cut_or_added() {
        let sealed = seal(&key_of(&KEY), Purpose::Record, b"", b"", b"plaintext").unwrap();
        for len in 0..sealed.len() {
            assert!(open(&key_of(&KEY), Purpose::Record, b"", b"", &sealed[..len]).is_err(), "first {len}");
            assert!(
                open(&key_of(&KEY), Purpose::Record, b"", b"", &sealed[sealed.len() - len..]).is_err(),
                "last {len}"
            );
        }
        assert!(open(&key_of(&KEY), Purpose::Record, b"", b"", &[&sealed[..], &[0]].concat()).is_err());
        assert!(open(&key_of(&KEY), Purpose::Record, b"", b"", &[&[0], &sealed[..]].concat()).is_err());
    }

    #[test]
    fn every_input_counts() {
        let sealed = seal(&key_of(&KEY), Purpose::Record, b"binding", b"aad", b"plaintext").unwrap();
        assert!(open(&key_of(&KEY), Purpose::Record, b"binding", b"aad", &sealed).is_ok());
        assert!(open(&key_of(&[8; 32]), Purpose::Record, b"binding", b"aad", &sealed).is_err());
        assert!(open(&key_of(&[7; 31]), Purpose::Record, b"binding", b"aad", &sealed).is_err());
        assert!(open(&key_of(&KEY), Purpose::AccessKey, b"binding", b"aad", &sealed).is_err());
        assert!(open(&key_of(&KEY), Purpose::Record, b"bindinh", b"aad", &sealed).is_err());
        assert!(open(&key_of(&KEY), Purpose::Record, b"binding", b"aae", &sealed).is_err());
        // The end of the purpose, and the border between binding and AAD, cannot be moved.
        let longer = seal(&key_of(&KEY), Purpose::CmkEnvelopeSm4, b"binding", b"aad", b"plaintext").unwrap();
        assert!(open(&key_of(&KEY), Purpose::CmkEnvelope, b"-sm4\0binding", b"aad", &longer).is_err());
        assert!(open(&key_of(&KEY), Purpose::Record, b"bindinga", b"ad", &sealed).is_err());
        assert!(open(&key_of(&KEY), Purpose::Record, b"bindin", b"gaad", &sealed).is_err());
    }

    #[test]
    fn purposes_do_not_open_each_other() {
        for &sealed_for in Purpose::ALL {
            let sealed = seal(&key_of(&KEY), sealed_for, b"name", &[], &[2; 32]).unwrap();
            for &opened_for in Purpose::ALL {
                let opened = open(&key_of(&KEY), opened_for, b"name", &[], &sealed);
                assert_eq!(opened.is_ok(), sealed_for == opened_for);
            }
        }
    }

    #[test]
    fn keys_have_16_to_64_bytes() {
        let sealed = seal(&key_of(&KEY), Purpose::Record, b"", b"", b"plaintext").unwrap();
        for len in 0..=80 {
            let key = SealingKey::new(&vec![7; len]);
            assert_eq!(key.is_ok(), (16..=64).contains(&len), "{len}");
            let opens = key.is_ok_and(|key| open(&key, Purpose::Record, b"", b"", &sealed).is_ok());
            assert_eq!(opens, len == 32, "{len}");
        }
    }

    /// A ciphertext that is valid AES-GCM under the message key of another key still fails, because of the commitment.
    #[test]
    fn the_commitment_ties_the_message_to_one_key() {
        let (salt, key, other) = ([1; 32], key_of(&KEY), key_of(&[8; 32]));
        let seal_under = |key: &SealingKey| {
            let mut sealed = Vec::new();
            seal_with_salt(Cipher::Aes256, &mut sealed, &salt, key, Purpose::Record, b"", b"", b"plaintext").unwrap();
            sealed
        };
        let (one, two) = (seal_under(&key), seal_under(&other));
        assert_ne!(one[SALT_BYTES..HEAD_BYTES], two[SALT_BYTES..HEAD_BYTES]);
        let commitment_of_one_body_of_two = [&one[..HEAD_BYTES], &two[HEAD_BYTES..]].concat();
        assert!(open(&key, Purpose::Record, b"", b"", &commitment_of_one_body_of_two).is_err());
        assert!(open(&other, Purpose::Record, b"", b"", &commitment_of_one_body_of_two).is_err());
        // AES-GCM alone would open the body under the other key.
        let derived = Derived::new(Cipher::Aes256, &other, &salt, Purpose::Record, b"").unwrap();
        let (ciphertext, tag) = two[HEAD_BYTES..].split_last_chunk().unwrap();
        let mut opened = vec![0; ciphertext.len()];
        derived.message_key().unwrap().open(b"", ciphertext, tag, &mut opened).unwrap();
        assert_eq!(opened, b"plaintext");
    }

    #[test]
    fn salts_are_new_each_time() {
        let [a, b] = [(); 2].map(|()| seal(&key_of(&KEY), Purpose::Record, b"", b"", b"plaintext").unwrap());
        assert_ne!(a[..SALT_BYTES], b[..SALT_BYTES]);
        assert_ne!(a[HEAD_BYTES..], b[HEAD_BYTES..]);
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed(
            key in prop::collection::vec(any::<u8>(), KEY_BYTES),
            binding: Vec<u8>,
            aad: Vec<u8>,
            plaintext: Vec<u8>,
        ) {
            let key = key_of(&key);
            let sealed = seal(&key, Purpose::Record, &binding, &aad, &plaintext).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD_BYTES);
            let opened = open(&key, Purpose::Record, &binding, &aad, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), plaintext);
        }

        #[test]
        fn no_bytes_panic(key in prop::collection::vec(any::<u8>(), KEY_BYTES), binding: Vec<u8>, aad: Vec<u8>, sealed: Vec<u8>) {
            prop_assert!(open(&key_of(&key), Purpose::Record, &binding, &aad, &sealed).is_err());
        }

        /// Extract and expand are those of HKDF, as another implementation has it.
        #[test]
        fn the_derivation_is_hkdf(
            key in prop::collection::vec(any::<u8>(), KEY_BYTES),
            info in prop::collection::vec(any::<Vec<u8>>(), 0..4),
            bytes in 0..300usize,
        ) {
            let info: Vec<&[u8]> = info.iter().map(Vec::as_slice).collect();
            let (mut ours, mut theirs) = (vec![0; bytes], vec![0; bytes]);
            key_of(&key).expand(&info, &mut ours).unwrap();
            hkdf_sha256(&key, &[], &info, &mut theirs).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }
}
