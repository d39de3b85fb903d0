//! HMAC (RFC 2104) with SHA-1 and SHA-2 (aws-lc-rs) and with SM3 (the `hmac` and `sm3` crates).
//!
//! HMAC-SHA1 is here because the signatures of the public API use it; nothing new may.

use std::ops::Deref;

use ::hmac::{Hmac, KeyInit as _, Mac as _};
use aws_lc_rs::hmac;
use sm3::Sm3;

use crate::secret::{assert_not_impl, ct_eq};

/// Length of the longest tag in bytes.
pub const TAG_BYTES_MAX: usize = 64;

/// The hash function inside the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacAlg {
    /// Tags of 20 bytes.
    Sha1,
    /// Tags of 28 bytes.
    Sha224,
    /// Tags of 32 bytes.
    Sha256,
    /// Tags of 48 bytes.
    Sha384,
    /// Tags of 64 bytes.
    Sha512,
    /// Tags of 32 bytes.
    Sm3,
}

impl MacAlg {
    /// All algorithms.
    pub const ALL: [Self; 6] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512, Self::Sm3];

    /// Length of the tag in bytes.
    pub const fn tag_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 | Self::Sm3 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A key as HMACs begin with it: the state after its block. Wiped on drop.
pub struct MacKey(KeyState);

#[expect(clippy::large_enum_variant, reason = "nearly all keys are the large one")]
enum KeyState {
    Sha(hmac::Key),
    Sm3(Hmac<Sm3>),
}

impl MacKey {
    /// A key of any length is taken, as RFC 2104 has it.
    pub fn new(alg: MacAlg, key: &[u8]) -> Self {
        let sha = |alg| KeyState::Sha(hmac::Key::new(alg, key));
        Self(match alg {
            MacAlg::Sha1 => sha(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            MacAlg::Sha224 => sha(hmac::HMAC_SHA224),
            MacAlg::Sha256 => sha(hmac::HMAC_SHA256),
            MacAlg::Sha384 => sha(hmac::HMAC_SHA384),
            MacAlg::Sha512 => sha(hmac::HMAC_SHA512),
            MacAlg::Sm3 => match Hmac::new_from_slice(key) {
                Ok(mac) => KeyState::Sm3(mac),
                Err(_) => unreachable!("HMAC takes a key of any length"),
            },
        })
    }
}

assert_not_impl!(MacKey: std::fmt::Debug, std::fmt::Display, Clone, PartialEq, serde::Serialize);

/// An HMAC in progress: `new` or `with_key`, any number of `update`, `finish`.
pub struct Mac(State);

#[expect(clippy::large_enum_variant, reason = "lives on the stack for one message; a box would cost more")]
enum State {
    Sha(hmac::Context),
    Sm3(Hmac<Sm3>),
}

impl Mac {
    /// Starts an HMAC over no bytes.
    pub fn new(alg: MacAlg, key: &[u8]) -> Self {
        Self::with_key(&MacKey::new(alg, key))
    }

    /// The same under a key that is ready.
    pub fn with_key(key: &MacKey) -> Self {
        Self(match &key.0 {
            KeyState::Sha(key) => State::Sha(hmac::Context::with_key(key)),
            KeyState::Sm3(mac) => State::Sm3(mac.clone()),
        })
    }

    /// Appends `bytes` to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha(context) => context.update(bytes),
            State::Sm3(mac) => mac.update(bytes),
        }
    }

    /// The tag of all bytes given so far.
    pub fn finish(self) -> Tag {
        match self.0 {
            State::Sha(context) => Tag::from_slice(context.sign().as_ref()),
            State::Sm3(mac) => Tag::from_slice(&mac.finalize().into_bytes()),
        }
    }
}

/// The HMAC of `message`.
pub fn mac(alg: MacAlg, key: &[u8], message: &[u8]) -> Tag {
    let mut mac = Mac::new(alg, key);
    mac.update(message);
    mac.finish()
}

/// An HMAC tag of 20 to 64 bytes. It has no `==`: compare with [`Tag::verify`].
pub struct Tag {
    bytes: [u8; TAG_BYTES_MAX],
    len: usize,
}

impl Tag {
    fn from_slice(tag: &[u8]) -> Self {
        let mut bytes = [0; TAG_BYTES_MAX];
        bytes[..tag.len()].copy_from_slice(tag);
        Self { bytes, len: tag.len() }
    }

    /// Whether `received` is this tag, in constant time.
    pub fn verify(&self, received: &[u8]) -> bool {
        ct_eq(self, received)
    }
}

impl Deref for Tag {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(alg: MacAlg, key: &[u8], message: &[u8]) -> String {
        hex::encode(&*super::mac(alg, key, message))
    }

    #[test]
    fn sha_tags_are_those_of_rfc_2202_and_rfc_4231() {
        let (key, message) = (b"Jefe", b"what do ya want for nothing?");
        assert_eq!(mac(MacAlg::Sha1, key, message), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(mac(MacAlg::Sha256, key, message), sha256);
    }

    #[test]
    fn sm3_tags_are_those_of_gmt_0042() {
        // GM/T 0042-2015, appendix D.3.
        let key: Vec<u8> = (1..=32).collect();
        let message = [&b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"[..]; 2].concat();
        assert_eq!(
            mac(MacAlg::Sm3, &key, &message),
            "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a"
        );
        let key: Vec<u8> = (1..=37).collect();
        assert_eq!(
            mac(MacAlg::Sm3, &key, &[0xcd; 50]),
            "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae"
        );
    }

    #[test]
    fn tags_have_the_length_of_their_algorithm_and_verify_only_whole() {
        for alg in MacAlg::ALL {
            let tag = Mac::new(alg, b"key").finish();
            assert_eq!(tag.len(), alg.tag_bytes());
            let mut received = tag.to_vec();
            assert!(tag.verify(&received));
            assert!(!tag.verify(&received[1..]));
            received[7] ^= 1;
            assert!(!tag.verify(&received));
        }
    }

    #[test]
    fn a_key_is_as_new_after_each_tag() {
        for alg in MacAlg::ALL {
            for bytes in [0, 5, 64, 65, 200] {
                let key = MacKey::new(alg, &vec![7; bytes]);
                for message in [&b"one"[..], b"", b"another"] {
                    let mut again = Mac::with_key(&key);
                    again.update(message);
                    assert_eq!(hex::encode(&*again.finish()), mac(alg, &vec![7; bytes], message), "{alg:?} {bytes}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn splitting_the_message_does_not_change_the_tag(key: Vec<u8>, a: Vec<u8>, b: Vec<u8>) {
            for alg in MacAlg::ALL {
                let mut split = Mac::new(alg, &key);
                split.update(&a);
                split.update(&b);
                proptest::prop_assert_eq!(hex::encode(&*split.finish()), mac(alg, &key, &[&a[..], &b].concat()));
            }
        }
    }
}
