//! The ciphers of symmetric keys, each in Galois/counter mode (NIST SP 800-38D; SM4 by RFC 8998) with a nonce of 12
//! bytes and a tag of 16.
//!
//! AES is that of aws-lc-rs. SM4 is that of the `sm4` crate with the `aes-gcm` crate around it: it looks its S-box up in
//! a table, so a program on the same processor core could learn of the key by timing its cache.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sm4::Sm4;

/// Length of every tag, in bytes.
pub(crate) const TAG_BYTES: usize = 16;

/// A block cipher in Galois/counter mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// AES with a key of 32 bytes.
    Aes256,
    /// AES with a key of 16 bytes.
    Aes128,
    /// AES with a key of 24 bytes.
    Aes192,
    /// SM4 (GB/T 32907-2016) with a key of 16 bytes.
    Sm4,
}

impl Cipher {
    /// All ciphers.
    pub const ALL: [Self; 4] = [Self::Aes256, Self::Aes128, Self::Aes192, Self::Sm4];

    /// Length of the key in bytes. The material of a key version of this cipher has the same length.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Aes256 => 32,
            Self::Aes192 => 24,
            Self::Aes128 | Self::Sm4 => 16,
        }
    }
}

/// A key that is ready for one message: its nonce is twelve zero bytes.
pub(crate) enum OneTimeKey {
    Aes(LessSafeKey),
    Sm4(Box<AesGcm<Sm4, U12>>),
}

impl OneTimeKey {
    /// `None` unless `key` has [`Cipher::key_bytes`].
    pub fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        let algorithm = match cipher {
            Cipher::Aes256 => &AES_256_GCM,
            Cipher::Aes128 => &AES_128_GCM,
            Cipher::Aes192 => &AES_192_GCM,
            Cipher::Sm4 => return Some(Self::Sm4(Box::new(AesGcm::new_from_slice(key).ok()?))),
        };
        Some(Self::Aes(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?)))
    }

    /// Encrypts `plaintext` into `ciphertext`, which is as long. `None` if the plaintext is too long for the mode.
    pub fn seal(
        &self,
        aad: &[u8],
        plaintext: &[u8],
        ciphertext: &mut [u8],
        tag_out: &mut [u8; TAG_BYTES],
    ) -> Option<()> {
        match self {
            Self::Aes(key) => {
                key.seal_out_of_place_scatter(zero_nonce(), Aad::from(aad), plaintext, ciphertext, &[], tag_out).ok()
            }
            Self::Sm4(key) => {
                let buffer = InOutBuf::new(plaintext, ciphertext).ok()?;
                let tag = key.encrypt_inout_detached(&[0; 12].into(), aad, buffer).ok()?;
                *tag_out = tag.into();
                Some(())
            }
        }
    }

    /// Decrypts `ciphertext` into `plaintext`, which is as long; `None` if the tag does not fit.
    pub fn open(&self, aad: &[u8], ciphertext: &[u8], tag: &[u8; TAG_BYTES], plaintext: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes(key) => key.open_separate_gather(zero_nonce(), Aad::from(aad), ciphertext, tag, plaintext).ok(),
            Self::Sm4(key) => {
                let buffer = InOutBuf::new(ciphertext, plaintext).ok()?;
                key.decrypt_inout_detached(&[0; 12].into(), aad, buffer, &(*tag).into()).ok()
            }
        }
    }
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_exactly_the_length_of_the_cipher() {
        for (cipher, key_bytes) in [(Cipher::Aes128, 16), (Cipher::Aes192, 24), (Cipher::Aes256, 32), (Cipher::Sm4, 16)]
        {
            assert_eq!(cipher.key_bytes(), key_bytes);
            for len in 0..=64 {
                assert_eq!(OneTimeKey::new(cipher, &vec![7; len]).is_some(), len == key_bytes, "{cipher:?} {len}");
            }
        }
    }
}
