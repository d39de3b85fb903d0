//! RSA of aws-lc-rs.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaSignatureEncoding};
use zeroize::Zeroizing;

use super::{AsymSpec, EncAlg, EncryptRefused, InvalidKey, LibraryError, SignAlg, SignRefused, Undecipherable};
use crate::secret::SecretBytes;

/// A private key for each use, since the library has a type for each. The last two share one parsed key.
pub struct RsaKey {
    signer: KeyPair,
    oaep: OaepPrivateDecryptingKey,
    pkcs1_v15: Pkcs1PrivateDecryptingKey,
}

/// A new key as PKCS#8.
pub fn generate(spec: AsymSpec) -> Result<SecretBytes, LibraryError> {
    let size = match spec {
        AsymSpec::Rsa2048 => KeySize::Rsa2048,
        AsymSpec::Rsa3072 => KeySize::Rsa3072,
        AsymSpec::Rsa4096 => KeySize::Rsa4096,
        _ => return Err(LibraryError),
    };
    pkcs8(&KeyPair::generate(size).map_err(|_| LibraryError)?)
}

fn pkcs8(key: &KeyPair) -> Result<SecretBytes, LibraryError> {
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| LibraryError)?;
    Ok(SecretBytes::new(der.as_ref().to_vec()))
}

/// The PKCS#8 form of a key in PKCS#8 or PKCS#1.
pub fn pkcs8_of(der: &[u8]) -> Result<SecretBytes, InvalidKey> {
    let key = KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der)).map_err(|_| InvalidKey)?;
    pkcs8(&key).map_err(|LibraryError| InvalidKey)
}

/// The key and its public key as SPKI.
pub fn from_pkcs8(spec: AsymSpec, pkcs8: &[u8]) -> Result<(RsaKey, Vec<u8>), InvalidKey> {
    let signer = KeyPair::from_pkcs8(pkcs8).map_err(|_| InvalidKey)?;
    let decrypting = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| InvalidKey)?;
    if spec.rsa_modulus_bytes().map(|bytes| bytes * 8) != Some(decrypting.key_size_bits()) {
        return Err(InvalidKey);
    }
    let spki: PublicKeyX509Der<'_> = signer.public_key().as_der().map_err(|_| InvalidKey)?;
    let spki = spki.as_ref().to_vec();
    let oaep = OaepPrivateDecryptingKey::new(decrypting.clone()).map_err(|_| InvalidKey)?;
    let pkcs1_v15 = Pkcs1PrivateDecryptingKey::new(decrypting).map_err(|_| InvalidKey)?;
    Ok((RsaKey { signer, oaep, pkcs1_v15 }, spki))
}

impl RsaKey {
    pub fn to_pkcs8(&self) -> Result<SecretBytes, LibraryError> {
        pkcs8(&self.signer)
    }

    pub fn sign(&self, alg: SignAlg, digest: &[u8]) -> Result<Vec<u8>, SignRefused> {
        let encoding: &'static RsaSignatureEncoding = match alg {
            SignAlg::RsaPssSha256 => &RSA_PSS_SHA256,
            SignAlg::RsaPkcs1Sha256 => &RSA_PKCS1_SHA256,
            _ => return Err(SignRefused::Algorithm),
        };
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| SignRefused::DigestLength)?;
        let mut signature = vec![0; self.signer.public_modulus_len()];
        self.signer.sign_digest(encoding, &digest, &mut signature).map_err(|_| SignRefused::Library)?;
        Ok(signature)
    }

    pub fn decrypt_oaep(&self, alg: EncAlg, ciphertext: &[u8]) -> Result<SecretBytes, Undecipherable> {
        let alg = oaep(alg).ok_or(Undecipherable)?;
        if ciphertext.len() != self.oaep.key_size_bytes() {
            return Err(Undecipherable);
        }
        let mut out = Zeroizing::new(vec![0; self.oaep.min_output_size()]);
        let plaintext_bytes = self.oaep.decrypt(alg, ciphertext, &mut out, None).map_err(|_| Undecipherable)?.len();
        out.truncate(plaintext_bytes);
        Ok(SecretBytes::new(std::mem::take(&mut *out)))
    }

    /// Puts the plaintext at the start of `out`, which is as long as the modulus, and returns its length.
    pub fn decrypt_pkcs1_v15(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Undecipherable> {
        self.pkcs1_v15.decrypt(ciphertext, out).map(|plaintext| plaintext.len()).map_err(|_| Undecipherable)
    }
}

fn oaep(alg: EncAlg) -> Option<&'static OaepAlgorithm> {
    match alg {
        EncAlg::RsaesOaepSha1 => Some(&OAEP_SHA1_MGF1SHA1),
        EncAlg::RsaesOaepSha256 => Some(&OAEP_SHA256_MGF1SHA256),
        EncAlg::Sm2Pke => None,
    }
}

/// Length of the modulus of a public key in bits.
pub fn modulus_bits(spki: &[u8]) -> Option<usize> {
    Some(PublicEncryptingKey::from_der(spki).ok()?.key_size_bits())
}

pub fn encrypt_oaep(alg: EncAlg, spki: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, EncryptRefused> {
    let alg = oaep(alg).ok_or(EncryptRefused::Algorithm)?;
    let key = PublicEncryptingKey::from_der(spki).map_err(|_| EncryptRefused::PublicKey)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| EncryptRefused::PublicKey)?;
    if plaintext.len() > key.max_plaintext_size(alg) {
        return Err(EncryptRefused::TooLong);
    }
    let mut out = vec![0; key.ciphertext_size()];
    let written = key.encrypt(alg, plaintext, &mut out, None).map_err(|_| EncryptRefused::Library)?.len();
    out.truncate(written);
    Ok(out)
}

/// For the client side of [`crate::import`].
pub fn encrypt_pkcs1_v15(spki: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, EncryptRefused> {
    let key = PublicEncryptingKey::from_der(spki).map_err(|_| EncryptRefused::PublicKey)?;
    let key = Pkcs1PublicEncryptingKey::new(key).map_err(|_| EncryptRefused::PublicKey)?;
    if plaintext.len() > key.max_plaintext_size() {
        return Err(EncryptRefused::TooLong);
    }
    let mut out = vec![0; key.ciphertext_size()];
    let written = key.encrypt(plaintext, &mut out).map_err(|_| EncryptRefused::Library)?.len();
    out.truncate(written);
    Ok(out)
}
