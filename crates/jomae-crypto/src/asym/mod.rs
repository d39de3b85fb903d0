//! Key pairs: signatures, public-key encryption and key encapsulation, each in its standard form.
//!
//! | spec       | signs with                       | decrypts with | library   |
//! |------------|----------------------------------|---------------|-----------|
//! | RSA        | RSA-PSS, RSA PKCS#1 v1.5         | RSAES-OAEP    | aws-lc-rs |
//! | EC (NIST, secp256k1) | ECDSA                  |               | aws-lc-rs |
//! | SM2        | SM2DSA                           | SM2PKE        | `sm2`     |
//! | Ed25519    | Ed25519                          |               | aws-lc-rs |
//! | ML-DSA-65  | ML-DSA-65                        |               | aws-lc-rs |
//! | ML-KEM-768 |                                  | [`PrivateKey::decapsulate`] | aws-lc-rs |
//!
//! RSA PKCS#1 v1.5 *decryption* is not here: it is an oracle unless nothing shows its outcome. See [`crate::import`].
//!
//! # Forms
//!
//! - Public keys are DER `SubjectPublicKeyInfo` (RFC 5280; SM2 as `id-ecPublicKey` with the curve 1.2.156.10197.1.301,
//!   ML-DSA by RFC 9881, ML-KEM by RFC 9935).
//! - Private keys are DER PKCS#8. ML-DSA-65 holds the seed (RFC 9881), ML-KEM-768 the expanded key of 2400 bytes
//!   (RFC 9935, `expandedKey`).
//! - ECDSA and SM2 signatures are DER `SEQUENCE { r, s }`; the others are the bytes of their standard.
//! - SM2 ciphertext is made as `04 ‖ x ‖ y ‖ C3 ‖ C2` (GM/T 0003.4-2012; 97 bytes longer than the plaintext).
//!   Decryption also takes the DER form of GM/T 0009-2012, `SEQUENCE { x, y, C3, C2 }`. The two cannot be confused: they
//!   begin with 04 and 30.
//!
//! # Constant time
//!
//! The private operations of aws-lc-rs are (RSA is blinded as well). `sm2` computes in constant time with the field
//! arithmetic of fiat-crypto. It compares C3 with a plain comparison; whoever could measure that may already ask for
//! any decryption under the key. It does not erase the scalar in a key that is ready to use when that is dropped.

mod ec;
mod pq;
mod private;
mod public;
mod rsa;
mod sm2;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

pub use self::private::PrivateKey;
pub use self::public::{encapsulate, encrypt, spec_of_spki, spki_to_pem, verify, verify_ed25519};
pub(crate) use self::rsa::encrypt_pkcs1_v15;

/// The longest key in DER that is looked at, in bytes. The longest well-formed one, ML-DSA-65 with seed and expanded
/// key, has about 4100.
pub const DER_BYTES_MAX: usize = 8 * 1024;

/// The kind and size of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsymSpec {
    /// RSA with a modulus of exactly 2048 bits.
    Rsa2048,
    /// RSA with a modulus of exactly 3072 bits.
    Rsa3072,
    /// RSA with a modulus of exactly 4096 bits.
    Rsa4096,
    /// NIST P-256 (secp256r1).
    EcP256,
    /// secp256k1.
    EcP256K,
    /// The curve of GB/T 32918.5 (sm2p256v1).
    EcSm2,
    /// NIST P-384 (secp384r1).
    EcP384,
    /// NIST P-521 (secp521r1).
    EcP521,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ML-DSA-65 (FIPS 204).
    MlDsa65,
    /// ML-KEM-768 (FIPS 203).
    MlKem768,
}

impl AsymSpec {
    /// All specs.
    pub const ALL: [Self; 11] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::EcP256,
        Self::EcP256K,
        Self::EcSm2,
        Self::EcP384,
        Self::EcP521,
        Self::Ed25519,
        Self::MlDsa65,
        Self::MlKem768,
    ];

    /// Length of the modulus in bytes; `None` unless RSA.
    pub const fn rsa_modulus_bytes(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(256),
            Self::Rsa3072 => Some(384),
            Self::Rsa4096 => Some(512),
            _ => None,
        }
    }
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignAlg {
    /// RSASSA-PSS (RFC 8017) with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PKCS1-v1_5 (RFC 8017) with SHA-256.
    RsaPkcs1Sha256,
    /// ECDSA (FIPS 186-5) over P-256 or secp256k1 with SHA-256.
    EcdsaSha256,
    /// SM2 (GB/T 32918.2). The digest is SM3(`Z_A` ‖ message), with the user id of the caller in `Z_A`.
    Sm2Dsa,
    /// ECDSA over P-384 with SHA-384.
    EcdsaSha384,
    /// ECDSA over P-521 with SHA-512.
    EcdsaSha512,
    /// Ed25519 (RFC 8032, pure) of the message itself.
    Ed25519,
    /// ML-DSA-65 (FIPS 204, pure, hedged, empty context) of the message itself.
    MlDsa65,
}

impl SignAlg {
    /// All signature algorithms.
    pub const ALL: [Self; 8] = [
        Self::RsaPssSha256,
        Self::RsaPkcs1Sha256,
        Self::EcdsaSha256,
        Self::Sm2Dsa,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
        Self::MlDsa65,
    ];

    /// Length of the digest that is signed, in bytes; `None` if the message itself is signed.
    pub const fn digest_bytes(self) -> Option<usize> {
        match self {
            Self::RsaPssSha256 | Self::RsaPkcs1Sha256 | Self::EcdsaSha256 | Self::Sm2Dsa => Some(32),
            Self::EcdsaSha384 => Some(48),
            Self::EcdsaSha512 => Some(64),
            Self::Ed25519 | Self::MlDsa65 => None,
        }
    }

    /// Whether a key of `spec` signs with this.
    pub const fn fits(self, spec: AsymSpec) -> bool {
        match self {
            Self::RsaPssSha256 | Self::RsaPkcs1Sha256 => spec.rsa_modulus_bytes().is_some(),
            Self::EcdsaSha256 => matches!(spec, AsymSpec::EcP256 | AsymSpec::EcP256K),
            Self::Sm2Dsa => matches!(spec, AsymSpec::EcSm2),
            Self::EcdsaSha384 => matches!(spec, AsymSpec::EcP384),
            Self::EcdsaSha512 => matches!(spec, AsymSpec::EcP521),
            Self::Ed25519 => matches!(spec, AsymSpec::Ed25519),
            Self::MlDsa65 => matches!(spec, AsymSpec::MlDsa65),
        }
    }

    /// Why `input` cannot be signed by a key of `spec`, if so.
    fn check(self, spec: AsymSpec, input: &[u8]) -> Result<(), SignRefused> {
        if !self.fits(spec) {
            return Err(SignRefused::Algorithm);
        }
        if self.digest_bytes().is_some_and(|digest_bytes| digest_bytes != input.len()) {
            return Err(SignRefused::DigestLength);
        }
        Ok(())
    }
}

/// A public-key encryption algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EncAlg {
    /// RSAES-OAEP (RFC 8017) with SHA-1, MGF1-SHA-1 and the empty label.
    RsaesOaepSha1,
    /// RSAES-OAEP with SHA-256, MGF1-SHA-256 and the empty label.
    RsaesOaepSha256,
    /// SM2 encryption (GB/T 32918.4) with SM3.
    Sm2Pke,
}

impl EncAlg {
    /// All encryption algorithms.
    pub const ALL: [Self; 3] = [Self::RsaesOaepSha1, Self::RsaesOaepSha256, Self::Sm2Pke];

    /// The longest plaintext under a key of `spec`, in bytes; `None` if the two do not fit.
    pub const fn plaintext_bytes_max(self, spec: AsymSpec) -> Option<usize> {
        match (self, spec) {
            (Self::Sm2Pke, AsymSpec::EcSm2) => Some(SM2_PLAINTEXT_BYTES_MAX),
            (Self::Sm2Pke, _) => None,
            (Self::RsaesOaepSha1 | Self::RsaesOaepSha256, _) => match spec.rsa_modulus_bytes() {
                Some(modulus) => Some(modulus - if matches!(self, Self::RsaesOaepSha1) { 42 } else { 66 }),
                None => None,
            },
        }
    }
}

/// The longest plaintext for SM2, in bytes. The limit is that of the public API, not of the algorithm.
pub const SM2_PLAINTEXT_BYTES_MAX: usize = 6047;

/// A library call failed that depends on no input: it is out of memory or of random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryError;

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cryptographic library failed")
    }
}

impl std::error::Error for LibraryError {}

/// The bytes are no private key of the spec: malformed, of another kind or size, or inconsistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not a private key of the expected kind and size")
    }
}

impl std::error::Error for InvalidKey {}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignRefused {
    /// The key does not sign with the algorithm.
    Algorithm,
    /// The digest does not have [`SignAlg::digest_bytes`].
    DigestLength,
    /// The library failed.
    Library,
}

impl fmt::Display for SignRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the key does not sign with this algorithm",
            Self::DigestLength => "the digest has the wrong length for the algorithm",
            Self::Library => "the cryptographic library failed",
        })
    }
}

impl std::error::Error for SignRefused {}

/// Why nothing was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptRefused {
    /// The spec does not encrypt with the algorithm.
    Algorithm,
    /// The public key is malformed or of another kind or size than the spec.
    PublicKey,
    /// The plaintext is longer than [`EncAlg::plaintext_bytes_max`].
    TooLong,
    /// The plaintext is empty, which SM2 cannot encrypt.
    Empty,
    /// The library failed.
    Library,
}

impl fmt::Display for EncryptRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the key does not encrypt with this algorithm",
            Self::PublicKey => "the public key is not of the expected kind and size",
            Self::TooLong => "the plaintext is too long for the key and algorithm",
            Self::Empty => "the plaintext is empty",
            Self::Library => "the cryptographic library failed",
        })
    }
}

impl std::error::Error for EncryptRefused {}

/// The ciphertext does not decrypt: wrong key, algorithm or length, or damage. It does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecipherable;

impl fmt::Display for Undecipherable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ciphertext does not decrypt")
    }
}

impl std::error::Error for Undecipherable {}
