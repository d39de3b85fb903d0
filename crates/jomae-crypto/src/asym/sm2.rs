//! SM2 of the `sm2` crate.

use pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use sm2::dsa::signature::hazmat::{PrehashVerifier as _, RandomizedPrehashSigner as _};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::elliptic_curve::Generate as _;
use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::pke::{Cipher, DecryptingKey, EncryptingKey, Mode};
use sm2::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::{EncryptRefused, InvalidKey, LibraryError, SM2_PLAINTEXT_BYTES_MAX, SignRefused, Undecipherable};
use crate::secret::SecretBytes;

/// What the raw ciphertext is longer than the plaintext, in bytes: the point C1 and the hash C3.
const RAW_OVERHEAD_BYTES: usize = 65 + 32;
/// What the DER ciphertext is longer than the plaintext at most, in bytes.
const DER_OVERHEAD_BYTES_MAX: usize = 112;

/// The user id that the library wants for keys that sign digests only. It goes into `Z_A`, which the caller computes.
const UNUSED_ID: &str = "1234567812345678";

pub struct Sm2Key {
    signer: SigningKey,
    decrypting: DecryptingKey,
}

/// A new key as PKCS#8.
pub fn generate() -> Result<SecretBytes, LibraryError> {
    pkcs8(&SecretKey::try_generate_from_rng(&mut SysRng).map_err(|_| LibraryError)?)
}

fn pkcs8(key: &SecretKey) -> Result<SecretBytes, LibraryError> {
    let der = key.to_pkcs8_der().map_err(|_| LibraryError)?;
    Ok(SecretBytes::new(der.as_bytes().to_vec()))
}

/// The PKCS#8 form of a key in PKCS#8 or SEC1.
pub fn pkcs8_of(der: &[u8]) -> Result<SecretBytes, InvalidKey> {
    let key = SecretKey::from_pkcs8_der(der).or_else(|_| SecretKey::from_sec1_der(der)).map_err(|_| InvalidKey)?;
    pkcs8(&key).map_err(|LibraryError| InvalidKey)
}

/// The key and its public key as SPKI.
pub fn from_pkcs8(pkcs8: &[u8]) -> Result<(Sm2Key, Vec<u8>), InvalidKey> {
    let key = SecretKey::from_pkcs8_der(pkcs8).map_err(|_| InvalidKey)?;
    let spki = key.public_key().to_public_key_der().map_err(|_| InvalidKey)?.into_vec();
    let signer = SigningKey::new(UNUSED_ID, &key).map_err(|_| InvalidKey)?;
    let decrypting = DecryptingKey::new_with_mode(key.to_nonzero_scalar(), Mode::C1C3C2);
    Ok((Sm2Key { signer, decrypting }, spki))
}

impl Sm2Key {
    pub fn to_pkcs8(&self) -> Result<SecretBytes, LibraryError> {
        pkcs8(&SecretKey::from(*self.signer.as_nonzero_scalar()))
    }

    /// The nonce comes from the key and the digest (RFC 6979) and from fresh random bytes: neither a weak generator
    /// nor a fault in the computation reveals the key.
    pub fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, SignRefused> {
        let signature: Signature =
            self.signer.sign_prehash_with_rng(&mut SysRng, digest).map_err(|_| SignRefused::Library)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    /// Takes the raw and the DER form of a ciphertext.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<SecretBytes, Undecipherable> {
        if ciphertext.len() > SM2_PLAINTEXT_BYTES_MAX + DER_OVERHEAD_BYTES_MAX {
            return Err(Undecipherable);
        }
        let cipher: Cipher<'_> = match ciphertext.first() {
            Some(4) => Cipher::from_slice(ciphertext, Mode::C1C3C2).map_err(|_| Undecipherable)?,
            Some(0x30) => pkcs8::der::Decode::from_der(ciphertext).map_err(|_| Undecipherable)?,
            _ => return Err(Undecipherable),
        };
        let plaintext_bytes = cipher.c2().len();
        if plaintext_bytes == 0 || plaintext_bytes > SM2_PLAINTEXT_BYTES_MAX {
            return Err(Undecipherable);
        }
        let mut plaintext = Zeroizing::new(vec![0; plaintext_bytes]);
        self.decrypting.decrypt_cipher_with_buf(&cipher, &mut plaintext).map_err(|_| Undecipherable)?;
        Ok(SecretBytes::new(std::mem::take(&mut *plaintext)))
    }
}

/// Whether the public key is a point of the curve.
pub fn is_public_key(spki: &[u8]) -> bool {
    PublicKey::from_public_key_der(spki).is_ok()
}

pub fn verify(spki: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let Ok(public) = PublicKey::from_public_key_der(spki) else { return false };
    let Ok(key) = VerifyingKey::new(UNUSED_ID, public) else { return false };
    let Ok(signature) = Signature::from_der(signature) else { return false };
    key.verify_prehash(digest, &signature).is_ok()
}

/// The raw form.
pub fn encrypt(spki: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, EncryptRefused> {
    if plaintext.is_empty() {
        return Err(EncryptRefused::Empty);
    }
    let public = PublicKey::from_public_key_der(spki).map_err(|_| EncryptRefused::PublicKey)?;
    let key = EncryptingKey::new_with_mode(public, Mode::C1C3C2);
    let ciphertext = key.encrypt(&mut SysRng, plaintext).map_err(|_| EncryptRefused::Library)?;
    debug_assert_eq!(ciphertext.len(), plaintext.len() + RAW_OVERHEAD_BYTES);
    Ok(ciphertext)
}
