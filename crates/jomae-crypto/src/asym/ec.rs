//! ECDSA and Ed25519 of aws-lc-rs.

use aws_lc_rs::digest::{Algorithm, Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};

use super::{AsymSpec, InvalidKey, LibraryError, SignRefused};
use crate::secret::SecretBytes;

pub struct EcKey {
    pair: EcdsaKeyPair,
    hash: &'static Algorithm,
}

/// The curve with the only hash that this crate uses on it.
fn curve(spec: AsymSpec) -> Option<(&'static EcdsaSigningAlgorithm, &'static Algorithm)> {
    match spec {
        AsymSpec::EcP256 => Some((&ECDSA_P256_SHA256_ASN1_SIGNING, &SHA256)),
        AsymSpec::EcP256K => Some((&ECDSA_P256K1_SHA256_ASN1_SIGNING, &SHA256)),
        AsymSpec::EcP384 => Some((&ECDSA_P384_SHA384_ASN1_SIGNING, &SHA384)),
        AsymSpec::EcP521 => Some((&ECDSA_P521_SHA512_ASN1_SIGNING, &SHA512)),
        _ => None,
    }
}

/// A new key as PKCS#8.
pub fn generate(spec: AsymSpec) -> Result<SecretBytes, LibraryError> {
    let (curve, _) = curve(spec).ok_or(LibraryError)?;
    pkcs8(&EcdsaKeyPair::generate(curve).map_err(|_| LibraryError)?)
}

fn pkcs8(pair: &EcdsaKeyPair) -> Result<SecretBytes, LibraryError> {
    let der = pair.to_pkcs8v1().map_err(|_| LibraryError)?;
    Ok(SecretBytes::new(der.as_ref().to_vec()))
}

/// The PKCS#8 form of a key in PKCS#8 or SEC1.
pub fn pkcs8_of(spec: AsymSpec, der: &[u8]) -> Result<SecretBytes, InvalidKey> {
    let (curve, _) = curve(spec).ok_or(InvalidKey)?;
    let pair = EcdsaKeyPair::from_private_key_der(curve, der).map_err(|_| InvalidKey)?;
    pkcs8(&pair).map_err(|LibraryError| InvalidKey)
}

/// The key and its public key as SPKI.
pub fn from_pkcs8(spec: AsymSpec, pkcs8: &[u8]) -> Result<(EcKey, Vec<u8>), InvalidKey> {
    let (curve, hash) = curve(spec).ok_or(InvalidKey)?;
    let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8).map_err(|_| InvalidKey)?;
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| InvalidKey)?;
    let spki = spki.as_ref().to_vec();
    Ok((EcKey { pair, hash }, spki))
}

impl EcKey {
    pub fn to_pkcs8(&self) -> Result<SecretBytes, LibraryError> {
        pkcs8(&self.pair)
    }

    pub fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, SignRefused> {
        let digest = Digest::import_less_safe(digest, self.hash).map_err(|_| SignRefused::DigestLength)?;
        let signature = self.pair.sign_digest(&digest).map_err(|_| SignRefused::Library)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A new Ed25519 key as PKCS#8.
pub fn generate_ed25519() -> Result<SecretBytes, LibraryError> {
    ed25519_to_pkcs8(&Ed25519KeyPair::generate().map_err(|_| LibraryError)?)
}

/// PKCS#8 version 1, which every implementation reads: the seed without the public key.
pub fn ed25519_to_pkcs8(pair: &Ed25519KeyPair) -> Result<SecretBytes, LibraryError> {
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| LibraryError)?;
    Ok(SecretBytes::new(der.as_ref().to_vec()))
}

/// The key and its public key as SPKI.
pub fn ed25519_from_pkcs8(pkcs8: &[u8]) -> Result<(Ed25519KeyPair, Vec<u8>), InvalidKey> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| InvalidKey)?;
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| InvalidKey)?;
    let spki = spki.as_ref().to_vec();
    Ok((pair, spki))
}

pub fn ed25519_sign(pair: &Ed25519KeyPair, message: &[u8]) -> Result<Vec<u8>, SignRefused> {
    Ok(pair.try_sign(message).map_err(|_| SignRefused::Library)?.as_ref().to_vec())
}
