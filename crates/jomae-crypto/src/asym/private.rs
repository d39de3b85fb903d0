//! The private key: one face over the libraries.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, PqdsaKeyPair};
use pkcs8::der::{AnyRef, Decode as _};

use super::public::{encapsulate, verify};
use super::{
    AsymSpec, DER_BYTES_MAX, EncAlg, InvalidKey, LibraryError, SignAlg, SignRefused, Undecipherable, ec, pq, rsa, sm2,
};
use crate::secret::{SecretBytes, assert_not_impl, ct_eq};

/// A private key, parsed and ready to use. Parsing costs about as much as one operation, so keep it.
pub struct PrivateKey {
    spec: AsymSpec,
    key: Key,
    spki: Vec<u8>,
}

assert_not_impl!(PrivateKey: fmt::Debug, fmt::Display, Clone, PartialEq, serde::Serialize);

enum Key {
    Rsa(rsa::RsaKey),
    Ec(ec::EcKey),
    Sm2(Box<sm2::Sm2Key>),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
    MlKem(pq::MlKemKey),
}

impl PrivateKey {
    /// A new key pair. RSA takes 0.1 s to several seconds: keep it off threads that must not wait.
    pub fn generate(spec: AsymSpec) -> Result<Self, LibraryError> {
        let pkcs8 = match spec {
            AsymSpec::Rsa2048 | AsymSpec::Rsa3072 | AsymSpec::Rsa4096 => rsa::generate(spec),
            AsymSpec::EcP256 | AsymSpec::EcP256K | AsymSpec::EcP384 | AsymSpec::EcP521 => ec::generate(spec),
            AsymSpec::EcSm2 => sm2::generate(),
            AsymSpec::Ed25519 => ec::generate_ed25519(),
            AsymSpec::MlDsa65 => pq::generate_ml_dsa(),
            AsymSpec::MlKem768 => pq::generate_ml_kem(),
        }?;
        Self::from_pkcs8(spec, pkcs8.expose()).map_err(|InvalidKey| LibraryError)
    }

    /// Reads what [`PrivateKey::to_pkcs8`] wrote. For keys from outside use [`PrivateKey::import`].
    pub fn from_pkcs8(spec: AsymSpec, pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        if pkcs8.len() > DER_BYTES_MAX {
            return Err(InvalidKey);
        }
        let (key, spki) = match spec {
            AsymSpec::Rsa2048 | AsymSpec::Rsa3072 | AsymSpec::Rsa4096 => {
                let (key, spki) = rsa::from_pkcs8(spec, pkcs8)?;
                (Key::Rsa(key), spki)
            }
            AsymSpec::EcP256 | AsymSpec::EcP256K | AsymSpec::EcP384 | AsymSpec::EcP521 => {
                let (key, spki) = ec::from_pkcs8(spec, pkcs8)?;
                (Key::Ec(key), spki)
            }
            AsymSpec::EcSm2 => {
                let (key, spki) = sm2::from_pkcs8(pkcs8)?;
                (Key::Sm2(Box::new(key)), spki)
            }
            AsymSpec::Ed25519 => {
                let (key, spki) = ec::ed25519_from_pkcs8(pkcs8)?;
                (Key::Ed25519(key), spki)
            }
            AsymSpec::MlDsa65 => {
                let (key, spki) = pq::ml_dsa_from_pkcs8(pkcs8)?;
                (Key::MlDsa(key), spki)
            }
            AsymSpec::MlKem768 => {
                let (key, spki) = pq::ml_kem_from_pkcs8(pkcs8)?;
                (Key::MlKem(key), spki)
            }
        };
        Ok(Self { spec, key, spki })
    }

    /// Takes over a private key from outside, in DER: PKCS#8, for RSA also PKCS#1 `RSAPrivateKey`, for EC and SM2 also
    /// SEC1 `ECPrivateKey`. ML-DSA-65 needs the seed, ML-KEM-768 the expanded key without a seed.
    ///
    /// The key must have exactly the kind and size of `spec`, and its private half must belong to its public half.
    pub fn import(spec: AsymSpec, der: &[u8]) -> Result<Self, InvalidKey> {
        // The libraries do not all look behind the end of the outermost value.
        if der.len() > DER_BYTES_MAX || AnyRef::from_der(der).is_err() {
            return Err(InvalidKey);
        }
        let pkcs8 = match spec {
            AsymSpec::Rsa2048 | AsymSpec::Rsa3072 | AsymSpec::Rsa4096 => Some(rsa::pkcs8_of(der)?),
            AsymSpec::EcP256 | AsymSpec::EcP256K | AsymSpec::EcP384 | AsymSpec::EcP521 => {
                Some(ec::pkcs8_of(spec, der)?)
            }
            AsymSpec::EcSm2 => Some(sm2::pkcs8_of(der)?),
            AsymSpec::Ed25519 | AsymSpec::MlDsa65 | AsymSpec::MlKem768 => None,
        };
        let key = Self::from_pkcs8(spec, pkcs8.as_ref().map_or(der, SecretBytes::expose))?;
        key.check_pair()?;
        // What cannot be written could not be stored, such as an ML-DSA key without its seed.
        key.to_pkcs8().map_err(|LibraryError| InvalidKey)?;
        Ok(key)
    }

    /// One operation with the private key and its inverse with the public key.
    fn check_pair(&self) -> Result<(), InvalidKey> {
        let agree = if self.spec == AsymSpec::MlKem768 {
            let (ciphertext, secret) = encapsulate(&self.spki).map_err(|_| InvalidKey)?;
            let opened = self.decapsulate(&ciphertext).map_err(|_| InvalidKey)?;
            ct_eq(secret.expose(), opened.expose())
        } else {
            let alg = SignAlg::ALL.into_iter().find(|alg| alg.fits(self.spec)).ok_or(InvalidKey)?;
            let digest = vec![0xA5; alg.digest_bytes().unwrap_or(32)];
            let signature = self.sign(alg, &digest).map_err(|_| InvalidKey)?;
            verify(self.spec, alg, &self.spki, &digest, &signature)
        };
        if agree { Ok(()) } else { Err(InvalidKey) }
    }

    /// The stored form: DER PKCS#8, at most [`DER_BYTES_MAX`]. It is not encrypted.
    pub fn to_pkcs8(&self) -> Result<SecretBytes, LibraryError> {
        match &self.key {
            Key::Rsa(key) => key.to_pkcs8(),
            Key::Ec(key) => key.to_pkcs8(),
            Key::Sm2(key) => key.to_pkcs8(),
            Key::Ed25519(key) => ec::ed25519_to_pkcs8(key),
            Key::MlDsa(key) => pq::ml_dsa_to_pkcs8(key),
            Key::MlKem(key) => key.to_pkcs8(),
        }
    }

    /// The kind and size.
    pub fn spec(&self) -> AsymSpec {
        self.spec
    }

    /// The public key as DER `SubjectPublicKeyInfo`.
    pub fn public_spki(&self) -> Vec<u8> {
        self.spki.clone()
    }

    /// The public key of an Ed25519 key in its bare form (RFC 8032), 32 bytes; `None` for other specs.
    pub fn ed25519_public(&self) -> Option<[u8; 32]> {
        match &self.key {
            Key::Ed25519(pair) => pair.public_key().as_ref().try_into().ok(),
            _ => None,
        }
    }

    /// Signs a digest, or for Ed25519 and ML-DSA a message. Signatures are randomised except for RSA PKCS#1 v1.5 and
    /// Ed25519.
    pub fn sign(&self, alg: SignAlg, digest_or_message: &[u8]) -> Result<Vec<u8>, SignRefused> {
        alg.check(self.spec, digest_or_message)?;
        match &self.key {
            Key::Rsa(key) => key.sign(alg, digest_or_message),
            Key::Ec(key) => key.sign(digest_or_message),
            Key::Sm2(key) => key.sign(digest_or_message),
            Key::Ed25519(key) => ec::ed25519_sign(key, digest_or_message),
            Key::MlDsa(key) => pq::ml_dsa_sign(key, digest_or_message),
            Key::MlKem(_) => Err(SignRefused::Algorithm),
        }
    }

    /// Decrypts what [`encrypt`](super::encrypt), or any other implementation of the standard, made with the public key.
    pub fn decrypt(&self, alg: EncAlg, ciphertext: &[u8]) -> Result<SecretBytes, Undecipherable> {
        match (&self.key, alg) {
            (Key::Rsa(key), EncAlg::RsaesOaepSha1 | EncAlg::RsaesOaepSha256) => key.decrypt_oaep(alg, ciphertext),
            (Key::Sm2(key), EncAlg::Sm2Pke) => key.decrypt(ciphertext),
            _ => Err(Undecipherable),
        }
    }

    /// The shared secret of 32 bytes in an ML-KEM-768 ciphertext of 1088 bytes. A damaged ciphertext of that length
    /// gives another secret, not an error (FIPS 203).
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, Undecipherable> {
        match &self.key {
            Key::MlKem(key) => key.decapsulate(ciphertext),
            _ => Err(Undecipherable),
        }
    }

    /// RSA PKCS#1 v1.5 decryption, for [`crate::import`] alone. Whether this failed must never show.
    pub(crate) fn decrypt_pkcs1_v15(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Undecipherable> {
        match &self.key {
            Key::Rsa(key) => key.decrypt_pkcs1_v15(ciphertext, out),
            _ => Err(Undecipherable),
        }
    }
}
