//! Public keys of passkeys, and the signatures that authenticators make with them: ES256, EdDSA with Ed25519, RS256
//! (WebAuthn Level 3, section 6.5.6). The form in which they come, COSE, is not looked at here.

use std::ops::RangeInclusive;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// Length of a coordinate on P-256, in bytes.
const COORDINATE_BYTES: usize = 32;
/// Lengths of the modulus of an RSA key, in bytes: 2048 to 4096 bits.
const MODULUS_BYTES: RangeInclusive<usize> = 256..=512;
/// Longest public exponent of an RSA key, in bytes.
const EXPONENT_BYTES_MAX: usize = 4;
/// Longest signature that is looked at, in bytes: as long as the longest modulus.
pub const SIGNATURE_BYTES_MAX: usize = *MODULUS_BYTES.end();

/// The public key of a passkey, with the algorithm that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyKey(Key);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Key {
    /// An uncompressed point of P-256 (SEC 1).
    Es256(Vec<u8>),
    Ed25519([u8; 32]),
    /// Big-endian, without leading zeros.
    Rs256 {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

impl PasskeyKey {
    /// A key for ECDSA over P-256 with SHA-256, by its coordinates; none if they are no point of the curve.
    pub fn es256(x: &[u8], y: &[u8]) -> Option<Self> {
        if x.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
            return None;
        }
        let point = [&[0x04], x, y].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point).parse().ok()?;
        Some(Self(Key::Es256(point)))
    }

    /// A key for Ed25519 (RFC 8032).
    pub fn ed25519(public: &[u8]) -> Option<Self> {
        let public: [u8; 32] = public.try_into().ok()?;
        UnparsedPublicKey::new(&ED25519, public).parse().ok()?;
        Some(Self(Key::Ed25519(public)))
    }

    /// A key for RSASSA-PKCS1-v1_5 with SHA-256, of 2048 to 4096 bits, by its modulus and exponent, big-endian.
    pub fn rs256(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let fits = MODULUS_BYTES.contains(&modulus.len())
            && (1..=EXPONENT_BYTES_MAX).contains(&exponent.len())
            && modulus.first() != Some(&0)
            && exponent.first() != Some(&0);
        if !fits {
            return None;
        }
        let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
        let key = PublicKeyComponents { n: &modulus, e: &exponent };
        key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
        Some(Self(Key::Rs256 { modulus, exponent }))
    }

    /// Whether `signature` is one of `message` by this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if signature.len() > SIGNATURE_BYTES_MAX {
            return false;
        }
        let verified = match &self.0 {
            Key::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature),
            Key::Ed25519(public) => UnparsedPublicKey::new(&ED25519, public).verify(message, signature),
            Key::Rs256 { modulus, exponent } => {
                PublicKeyComponents { n: modulus, e: exponent }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    };
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] = b"message";

    fn es256() -> (PasskeyKey, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap().as_ref().to_vec();
        (PasskeyKey::es256(&point[1..33], &point[33..]).unwrap(), signature)
    }

    fn ed25519() -> (PasskeyKey, Vec<u8>) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let signature = pair.sign(MESSAGE).as_ref().to_vec();
        (PasskeyKey::ed25519(pair.public_key().as_ref()).unwrap(), signature)
    }

    fn rs256() -> (PasskeyKey, Vec<u8>) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), MESSAGE, &mut signature).unwrap();
        let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
        let (modulus, exponent) =
            (modulus.big_endian_without_leading_zero(), exponent.big_endian_without_leading_zero());
        (PasskeyKey::rs256(modulus, exponent).unwrap(), signature)
    }

    #[test]
    fn each_verifies_its_own_signatures_and_no_others() {
        let all = [es256(), ed25519(), rs256()];
        for (at, (key, _)) in all.iter().enumerate() {
            for (other, (_, signature)) in all.iter().enumerate() {
                assert_eq!(key.verifies(MESSAGE, signature), at == other, "{at} {other}");
            }
        }
        for (key, mut signature) in all {
            assert!(!key.verifies(b"massage", &signature));
            assert!(!key.verifies(MESSAGE, &signature[1..]));
            *signature.last_mut().unwrap() ^= 1;
            assert!(!key.verifies(MESSAGE, &signature));
        }
    }

    #[test]
    fn what_is_no_key_makes_none() {
        // The point (0, 0) is not on the curve.
        assert_eq!(PasskeyKey::es256(&[0; 32], &[0; 32]), None);
        assert_eq!(PasskeyKey::es256(&[1; 31], &[1; 33]), None);
        assert_eq!(PasskeyKey::ed25519(&[1; 31]), None);
        let modulus = [vec![0x80], vec![0; 254], vec![1]].concat();
        assert!(PasskeyKey::rs256(&modulus, &[1, 0, 1]).is_some());
        assert_eq!(PasskeyKey::rs256(&modulus[..255], &[1, 0, 1]), None, "too short");
        assert_eq!(PasskeyKey::rs256(&modulus, &[]), None);
        assert_eq!(PasskeyKey::rs256(&modulus, &[1, 0, 0, 0, 1]), None);
        assert_eq!(PasskeyKey::rs256(&[&[0], &modulus[..]].concat(), &[1, 0, 1]), None, "a leading zero");
        assert_eq!(PasskeyKey::rs256(&vec![0xff; 513], &[1, 0, 1]), None, "too long");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(a: Vec<u8>, b: Vec<u8>, coordinates: [u8; 32], modulus in prop::collection::vec(any::<u8>(), 256)) {
            let keys = [
                PasskeyKey::es256(&coordinates, &coordinates),
                PasskeyKey::ed25519(&coordinates),
                PasskeyKey::rs256(&modulus, &b),
                PasskeyKey::es256(&a, &b),
                PasskeyKey::ed25519(&a),
                PasskeyKey::rs256(&a, &b),
            ];
            for key in keys.into_iter().flatten() {
                prop_assert!(!key.verifies(&a, &b));
            }
        }
    }
}
