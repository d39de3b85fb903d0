//! What anyone can do with a public key.

use aws_lc_rs::digest::{Algorithm, Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    ML_DSA_65, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use pkcs8::der::Decode as _;
use pkcs8::der::pem::{self, LineEnding};
use pkcs8::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::{AsymSpec, DER_BYTES_MAX, EncAlg, EncryptRefused, SignAlg, pq, rsa, sm2};
use crate::secret::SecretBytes;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P256K: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const SM2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Whether `signature` is one of `digest_or_message` by the key `spki`, which must be of `spec`. Whatever is malformed
/// or does not fit is a signature that does not verify.
pub fn verify(spec: AsymSpec, alg: SignAlg, spki: &[u8], digest_or_message: &[u8], signature: &[u8]) -> bool {
    if alg.check(spec, digest_or_message).is_err() || claimed_spec(spki) != Some(spec) {
        return false;
    }
    let Some((verification, hash)) = verification(spec, alg) else {
        return sm2::verify(spki, digest_or_message, signature);
    };
    let key = UnparsedPublicKey::new(verification, spki);
    match hash {
        Some(hash) => Digest::import_less_safe(digest_or_message, hash)
            .is_ok_and(|digest| key.verify_digest(&digest, signature).is_ok()),
        None => key.verify(digest_or_message, signature).is_ok(),
    }
}

/// Whether `signature` is an Ed25519 signature (RFC 8032) of `message` by the key in its bare form of 32 bytes.
pub fn verify_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// The algorithm of aws-lc-rs, with the hash of the digest; `None` for SM2.
fn verification(
    spec: AsymSpec,
    alg: SignAlg,
) -> Option<(&'static dyn VerificationAlgorithm, Option<&'static Algorithm>)> {
    Some(match alg {
        SignAlg::RsaPssSha256 => (&RSA_PSS_2048_8192_SHA256, Some(&SHA256)),
        SignAlg::RsaPkcs1Sha256 => (&RSA_PKCS1_2048_8192_SHA256, Some(&SHA256)),
        SignAlg::EcdsaSha256 if spec == AsymSpec::EcP256K => (&ECDSA_P256K1_SHA256_ASN1, Some(&SHA256)),
        SignAlg::EcdsaSha256 => (&ECDSA_P256_SHA256_ASN1, Some(&SHA256)),
        SignAlg::EcdsaSha384 => (&ECDSA_P384_SHA384_ASN1, Some(&SHA384)),
        SignAlg::EcdsaSha512 => (&ECDSA_P521_SHA512_ASN1, Some(&SHA512)),
        SignAlg::Ed25519 => (&ED25519, None),
        SignAlg::MlDsa65 => (&ML_DSA_65, None),
        SignAlg::Sm2Dsa => return None,
    })
}

/// Encrypts to the key `spki`, which must be of `spec`.
pub fn encrypt(spec: AsymSpec, alg: EncAlg, spki: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, EncryptRefused> {
    let plaintext_bytes_max = alg.plaintext_bytes_max(spec).ok_or(EncryptRefused::Algorithm)?;
    if plaintext.len() > plaintext_bytes_max {
        return Err(EncryptRefused::TooLong);
    }
    if claimed_spec(spki) != Some(spec) {
        return Err(EncryptRefused::PublicKey);
    }
    match alg {
        EncAlg::RsaesOaepSha1 | EncAlg::RsaesOaepSha256 => rsa::encrypt_oaep(alg, spki, plaintext),
        EncAlg::Sm2Pke => sm2::encrypt(spki, plaintext),
    }
}

/// A new shared secret of 32 bytes, and the ML-KEM-768 ciphertext of 1088 bytes that carries it to the key `spki`.
pub fn encapsulate(spki: &[u8]) -> Result<(Vec<u8>, SecretBytes), EncryptRefused> {
    if spki.len() > DER_BYTES_MAX {
        return Err(EncryptRefused::PublicKey);
    }
    let key = pq::encapsulation_key(spki).ok_or(EncryptRefused::PublicKey)?;
    // The library checks here that the key is well-formed (FIPS 203 section 7.2).
    let (ciphertext, secret) = key.encapsulate().map_err(|_| EncryptRefused::PublicKey)?;
    Ok((ciphertext.as_ref().to_vec(), SecretBytes::new(secret.as_ref().to_vec())))
}

/// What kind of public key the DER `SubjectPublicKeyInfo` holds; `None` if it is malformed, not a valid key of its
/// kind (such as a point off the curve), of a kind or size that is no [`AsymSpec`], or longer than [`DER_BYTES_MAX`].
pub fn spec_of_spki(spki: &[u8]) -> Option<AsymSpec> {
    let spec = claimed_spec(spki)?;
    let valid = match spec {
        AsymSpec::EcSm2 => sm2::is_public_key(spki),
        AsymSpec::MlKem768 => encapsulate(spki).is_ok(),
        _ => {
            let alg = SignAlg::ALL.into_iter().find(|alg| alg.fits(spec))?;
            verification(spec, alg)
                .is_some_and(|(verification, _)| UnparsedPublicKey::new(verification, spki).parse().is_ok())
        }
    };
    valid.then_some(spec)
}

/// The spec that the algorithm identifier names, for RSA with the size of the modulus. The key itself may be invalid.
fn claimed_spec(spki: &[u8]) -> Option<AsymSpec> {
    if spki.len() > DER_BYTES_MAX {
        return None;
    }
    let algorithm = SubjectPublicKeyInfoRef::from_der(spki).ok()?.algorithm;
    match algorithm.oid {
        RSA_ENCRYPTION => match rsa::modulus_bits(spki)? {
            2048 => Some(AsymSpec::Rsa2048),
            3072 => Some(AsymSpec::Rsa3072),
            4096 => Some(AsymSpec::Rsa4096),
            _ => None,
        },
        EC_PUBLIC_KEY => match algorithm.parameters_oid().ok()? {
            P256 => Some(AsymSpec::EcP256),
            P256K => Some(AsymSpec::EcP256K),
            SM2 => Some(AsymSpec::EcSm2),
            P384 => Some(AsymSpec::EcP384),
            P521 => Some(AsymSpec::EcP521),
            _ => None,
        },
        _ if algorithm.parameters.is_some() => None,
        ID_ED25519 => Some(AsymSpec::Ed25519),
        pq::ML_DSA_65_OID => Some(AsymSpec::MlDsa65),
        pq::ML_KEM_768_OID => Some(AsymSpec::MlKem768),
        _ => None,
    }
}

/// The PEM text of a public key (RFC 7468): `BEGIN PUBLIC KEY`, lines of 64 characters, each ended by LF. It does not
/// look into `spki`; the empty text if that is longer than [`DER_BYTES_MAX`].
pub fn spki_to_pem(spki: &[u8]) -> String {
    if spki.len() > DER_BYTES_MAX {
        return String::new();
    }
    pem::encode_string("PUBLIC KEY", LineEnding::LF, spki).unwrap_or_default()
}
