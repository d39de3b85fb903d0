//! RSA PKCS#1 v1.5 signatures with SHA-256 (RFC 8017 section 8.2) of aws-lc-rs, for requests that are signed with an
//! RSA key pair. Moduli of 2048 to 8192 bits.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};

/// The longest public or private key in DER that is looked at, in bytes. A PKCS#8 key of 8192 bits has about 4700.
pub const DER_BYTES_MAX: usize = 8 * 1024;

/// Nothing was signed: the private key is not a PKCS#8 RSA key of 2048 to 8192 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignError;

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the private key is not a PKCS#8 RSA key of 2048 to 8192 bits")
    }
}

impl std::error::Error for SignError {}

/// Whether `signature` is a signature of `message` by the key `spki_der` (a DER `SubjectPublicKeyInfo`). A key that does
/// not parse or has another size is a signature that does not verify.
pub fn verify_pkcs1_sha256(spki_der: &[u8], message: &[u8], signature: &[u8]) -> bool {
    spki_der.len() <= DER_BYTES_MAX
        && UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki_der).verify(message, signature).is_ok()
}

/// The signature of `message` by the private key `pkcs8_der` (a DER PKCS#8 `PrivateKeyInfo`), as long as the modulus.
pub fn sign_pkcs1_sha256(pkcs8_der: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError> {
    if pkcs8_der.len() > DER_BYTES_MAX {
        return Err(SignError);
    }
    let key = KeyPair::from_pkcs8(pkcs8_der).map_err(|_| SignError)?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| SignError)?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::KeyPair as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn verifies_what_it_signed_and_nothing_else() {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let (private, public) = (private.as_ref(), public.as_ref());
        let signature = sign_pkcs1_sha256(private, b"message").unwrap();
        assert_eq!(signature.len(), 256);
        assert!(verify_pkcs1_sha256(public, b"message", &signature));
        assert!(!verify_pkcs1_sha256(public, b"massage", &signature));
        assert!(!verify_pkcs1_sha256(public, b"message", &signature[1..]));
        assert!(!verify_pkcs1_sha256(private, b"message", &signature));
        assert!(!verify_pkcs1_sha256(b"", b"message", &signature));
        for byte in [0, 100, 255] {
            let mut damaged = signature.clone();
            damaged[byte] ^= 1;
            assert!(!verify_pkcs1_sha256(public, b"message", &damaged), "{byte}");
        }
        for len in 0..private.len() {
            assert_eq!(sign_pkcs1_sha256(&private[..len], b"message"), Err(SignError), "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(key: Vec<u8>, message: Vec<u8>, signature: Vec<u8>) {
            prop_assert!(!verify_pkcs1_sha256(&key, &message, &signature));
            prop_assert!(sign_pkcs1_sha256(&key, &message).is_err());
        }
    }
}
