//! ML-DSA-65 and ML-KEM-768 of aws-lc-rs.
//!
//! The library reads and writes the DER forms of ML-DSA itself. Of ML-KEM it knows the raw keys alone; their DER forms
//! (RFC 9935) are put together here with the `pkcs8` crate.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use aws_lc_rs::signature::{KeyPair as _, ML_DSA_65_SIGNING, PqdsaKeyPair};
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{AnyRef, Decode as _, Encode as _};
use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use super::{InvalidKey, LibraryError, SignRefused, Undecipherable};
use crate::secret::{SecretBytes, ct_eq};

/// id-alg-ml-kem-768.
pub const ML_KEM_768_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.2");
/// id-ml-dsa-65.
pub const ML_DSA_65_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");

/// Where FIPS 203 puts the encapsulation key and its hash in an expanded decapsulation key of 2400 bytes.
const EK_IN_DK: std::ops::Range<usize> = 1152..2336;
const EK_HASH_IN_DK: std::ops::Range<usize> = 2336..2368;

/// A new ML-DSA-65 key as PKCS#8.
pub fn generate_ml_dsa() -> Result<SecretBytes, LibraryError> {
    ml_dsa_to_pkcs8(&PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).map_err(|_| LibraryError)?)
}

/// PKCS#8 with the seed. Fails for a key that was read without its seed.
pub fn ml_dsa_to_pkcs8(pair: &PqdsaKeyPair) -> Result<SecretBytes, LibraryError> {
    let der = pair.to_pkcs8v1().map_err(|_| LibraryError)?;
    Ok(SecretBytes::new(der.as_ref().to_vec()))
}

/// The key and its public key as SPKI.
pub fn ml_dsa_from_pkcs8(pkcs8: &[u8]) -> Result<(PqdsaKeyPair, Vec<u8>), InvalidKey> {
    let pair = PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, pkcs8).map_err(|_| InvalidKey)?;
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| InvalidKey)?;
    let spki = spki.as_ref().to_vec();
    Ok((pair, spki))
}

pub fn ml_dsa_sign(pair: &PqdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, SignRefused> {
    let mut signature = vec![0; ML_DSA_65_SIGNING.signature_len()];
    let signature_bytes = pair.sign(message, &mut signature).map_err(|_| SignRefused::Library)?;
    signature.truncate(signature_bytes);
    Ok(signature)
}

pub struct MlKemKey(DecapsulationKey);

/// A new ML-KEM-768 key as PKCS#8.
pub fn generate_ml_kem() -> Result<SecretBytes, LibraryError> {
    MlKemKey(DecapsulationKey::generate(&ML_KEM_768).map_err(|_| LibraryError)?).to_pkcs8()
}

/// The key and its public key as SPKI. Checks what FIPS 203 section 7.3 asks for: the length and the hash.
pub fn ml_kem_from_pkcs8(pkcs8: &[u8]) -> Result<(MlKemKey, Vec<u8>), InvalidKey> {
    let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| InvalidKey)?;
    if info.algorithm.oid != ML_KEM_768_OID || info.algorithm.parameters.is_some() || info.public_key.is_some() {
        return Err(InvalidKey);
    }
    let expanded = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|_| InvalidKey)?.as_bytes();
    let key = DecapsulationKey::new(&ML_KEM_768, expanded).map_err(|_| InvalidKey)?;
    let public = expanded.get(EK_IN_DK).ok_or(InvalidKey)?;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA3_256, public);
    if !ct_eq(hash.as_ref(), expanded.get(EK_HASH_IN_DK).ok_or(InvalidKey)?) {
        return Err(InvalidKey);
    }
    let spki = ml_kem_spki(public).map_err(|LibraryError| InvalidKey)?;
    Ok((MlKemKey(key), spki))
}

fn ml_kem_spki(public: &[u8]) -> Result<Vec<u8>, LibraryError> {
    let info = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: ML_KEM_768_OID, parameters: None },
        subject_public_key: BitStringRef::from_bytes(public).map_err(|_| LibraryError)?,
    };
    info.to_der().map_err(|_| LibraryError)
}

impl MlKemKey {
    pub fn to_pkcs8(&self) -> Result<SecretBytes, LibraryError> {
        let expanded = self.0.key_bytes().map_err(|_| LibraryError)?;
        let inner =
            OctetStringRef::new(expanded.as_ref()).and_then(|octets| octets.to_der()).map_err(|_| LibraryError)?;
        let inner = Zeroizing::new(inner);
        let algorithm = AlgorithmIdentifierRef { oid: ML_KEM_768_OID, parameters: None::<AnyRef<'_>> };
        let octets = OctetStringRef::new(&inner).map_err(|_| LibraryError)?;
        let der = PrivateKeyInfoRef::new(algorithm, octets).to_der().map_err(|_| LibraryError)?;
        Ok(SecretBytes::new(der))
    }

    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes, Undecipherable> {
        let secret = self.0.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| Undecipherable)?;
        Ok(SecretBytes::new(secret.as_ref().to_vec()))
    }
}

/// The raw encapsulation key in an SPKI; `None` if it is none of ML-KEM-768.
pub fn encapsulation_key(spki: &[u8]) -> Option<EncapsulationKey> {
    let info = SubjectPublicKeyInfoRef::from_der(spki).ok()?;
    if info.algorithm.oid != ML_KEM_768_OID || info.algorithm.parameters.is_some() {
        return None;
    }
    EncapsulationKey::new(&ML_KEM_768, info.subject_public_key.as_bytes()?).ok()
}
