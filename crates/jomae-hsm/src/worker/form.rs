//! Between the forms of PKCS#11 and those of the product: DER, by the crates that know it.

use cryptoki::{
    object::{Attribute, AttributeType, KeyType, ObjectHandle},
    session::Session,
};
use pkcs1::{RsaPrivateKey, RsaPublicKey};
use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
    der::{
        AnyRef, Decode as _, Encode as _, Length, SliceWriter,
        asn1::{BitStringRef, OctetStringRef, UintRef},
    },
};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use super::attributes;
use crate::{
    kind::{Curve, Kind, Shape},
    wire::Failure,
};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// `DigestInfo` of SHA-256 without the digest (RFC 8017 section 9.2, note 1).
const SHA256_DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

const fn curve_id(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Curve::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        Curve::P256K => ObjectIdentifier::new_unwrap("1.3.132.0.10"),
    }
}

/// `CKA_EC_PARAMS`: the object identifier in DER. An identifier of a constant always encodes.
pub fn curve(curve: Curve) -> Vec<u8> {
    curve_id(curve).to_der().unwrap_or_default()
}

/// The same for Ed25519.
pub fn ed25519() -> Vec<u8> {
    ED25519.to_der().unwrap_or_default()
}

/// What is signed with PKCS#1 v1.5.
pub fn sha256_digest_info(digest: &[u8]) -> Vec<u8> {
    [&SHA256_DIGEST_INFO[..], digest].concat()
}

fn nonsense(what: impl std::fmt::Display) -> Failure {
    Failure::Nonsense(format!("a public key in no known form: {what}"))
}

/// The public half of a pair as SubjectPublicKeyInfo.
pub fn public_key(session: &Session, handle: ObjectHandle, kind: Kind) -> Result<Vec<u8>, Failure> {
    let wanted: &[AttributeType] = match kind.shape() {
        Shape::Rsa { .. } => &[AttributeType::Modulus, AttributeType::PublicExponent],
        _ => &[AttributeType::EcPoint],
    };
    let (mut modulus, mut exponent, mut point) = (Vec::new(), Vec::new(), Vec::new());
    for attribute in attributes(session, handle, wanted)? {
        match attribute {
            Attribute::Modulus(bytes) => modulus = bytes,
            Attribute::PublicExponent(bytes) => exponent = bytes,
            Attribute::EcPoint(bytes) => point = bytes,
            _ => {}
        }
    }
    match kind.shape() {
        Shape::Rsa { .. } => {
            let key = RsaPublicKey {
                modulus: UintRef::new(&modulus).map_err(nonsense)?,
                public_exponent: UintRef::new(&exponent).map_err(nonsense)?,
            };
            spki(RSA_ENCRYPTION, Some(AnyRef::NULL), &key.to_der().map_err(nonsense)?)
        }
        Shape::Ec(curve) => {
            spki(EC_PUBLIC_KEY, Some((&curve_id(curve)).into()), unwrapped(&point, 2 * curve.bytes() + 1))
        }
        Shape::Ed25519 => spki(ED25519, None, unwrapped(&point, 32)),
        Shape::Aes { .. } | Shape::Hmac(_) => Err(nonsense("a secret key")),
    }
}

/// `CKA_EC_POINT` is an OCTET STRING around the point; some tokens leave that out.
fn unwrapped(point: &[u8], bytes: usize) -> &[u8] {
    match <&OctetStringRef>::from_der(point) {
        Ok(inner) if inner.as_bytes().len() == bytes => inner.as_bytes(),
        _ => point,
    }
}

fn spki(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Vec<u8>, Failure> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    let subject_public_key = BitStringRef::from_bytes(key).map_err(nonsense)?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(nonsense)
}

/// `SEQUENCE { r, s }` of the halves that a token gives; none if they have not the curve's length.
pub fn ecdsa_signature(curve: Curve, raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 2 * curve.bytes() {
        return None;
    }
    let (r, s) = raw.split_at(curve.bytes());
    let (r, s) = (UintRef::new(r).ok()?, UintRef::new(s).ok()?);
    let length: Length = (r.encoded_len().ok()? + s.encoded_len().ok()?).ok()?;
    // The header of a sequence takes 3 bytes at most here, and that of a number 3 with its sign.
    let mut buffer = vec![0; raw.len() + 16];
    let mut writer = SliceWriter::new(&mut buffer);
    writer
        .sequence(length, |inner| {
            r.encode(inner)?;
            s.encode(inner)
        })
        .ok()?;
    Some(writer.finish().ok()?.to_vec())
}

fn bad_material(_: impl std::fmt::Display) -> Failure {
    // Not what the parser says: it is about secret bytes.
    Failure::Token("the private key is in no form that is known here".to_owned())
}

fn private(pkcs8: &[u8]) -> Result<PrivateKeyInfoRef<'_>, Failure> {
    PrivateKeyInfoRef::try_from(pkcs8).map_err(bad_material)
}

/// The attributes of an RSA key in PKCS#8.
pub fn rsa_private(pkcs8: &[u8]) -> Result<[Attribute; 9], Failure> {
    let info = private(pkcs8)?;
    let key = RsaPrivateKey::from_der(info.private_key.as_bytes()).map_err(bad_material)?;
    let bytes = |number: UintRef<'_>| number.as_bytes().to_vec();
    Ok([
        Attribute::KeyType(KeyType::RSA),
        Attribute::Modulus(bytes(key.modulus)),
        Attribute::PublicExponent(bytes(key.public_exponent)),
        Attribute::PrivateExponent(bytes(key.private_exponent)),
        Attribute::Prime1(bytes(key.prime1)),
        Attribute::Prime2(bytes(key.prime2)),
        Attribute::Exponent1(bytes(key.exponent1)),
        Attribute::Exponent2(bytes(key.exponent2)),
        Attribute::Coefficient(bytes(key.coefficient)),
    ])
}

/// The scalar of a key on a curve in PKCS#8.
pub fn ec_private(pkcs8: &[u8]) -> Result<Vec<u8>, Failure> {
    let info = private(pkcs8)?;
    Ok(EcPrivateKey::from_der(info.private_key.as_bytes()).map_err(bad_material)?.private_key.to_vec())
}

/// The seed of an Ed25519 key in PKCS#8.
pub fn ed25519_private(pkcs8: &[u8]) -> Result<Vec<u8>, Failure> {
    let info = private(pkcs8)?;
    let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(bad_material)?;
    Ok(Zeroizing::new(seed.as_bytes().to_vec()).to_vec())
}

#[cfg(test)]
mod tests {
    use jomae_crypto::asym::{AsymSpec, PrivateKey, SignAlg};

    use super::*;

    #[test]
    fn signatures_are_in_der_whatever_their_first_bytes() {
        for first in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut raw = vec![first; 64];
            raw[63] = 1;
            let der = ecdsa_signature(Curve::P256, &raw).unwrap();
            assert_eq!(der[0], 0x30);
            assert_eq!(usize::from(der[1]), der.len() - 2, "{first}");
        }
        assert!(ecdsa_signature(Curve::P256, &[1; 63]).is_none());
        assert_eq!(ecdsa_signature(Curve::P521, &[0xff; 132]).unwrap().len(), 3 + 2 * (2 + 67));
    }

    #[test]
    fn private_keys_of_the_product_come_apart() {
        let pkcs8 = PrivateKey::generate(AsymSpec::Rsa2048).unwrap().to_pkcs8().unwrap();
        let attributes = rsa_private(pkcs8.expose()).unwrap();
        let Attribute::Modulus(modulus) = &attributes[1] else { panic!("no modulus") };
        assert_eq!(modulus.len(), 256);
        for (spec, bytes) in
            [(AsymSpec::EcP256, 32), (AsymSpec::EcP256K, 32), (AsymSpec::EcP384, 48), (AsymSpec::EcP521, 66)]
        {
            let pkcs8 = PrivateKey::generate(spec).unwrap().to_pkcs8().unwrap();
            assert_eq!(ec_private(pkcs8.expose()).unwrap().len(), bytes);
        }
        let pkcs8 = PrivateKey::generate(AsymSpec::Ed25519).unwrap().to_pkcs8().unwrap();
        assert_eq!(ed25519_private(pkcs8.expose()).unwrap().len(), 32);
        assert!(rsa_private(pkcs8.expose()).is_err());
        assert!(ec_private(b"nothing").is_err());
    }

    #[test]
    fn what_is_signed_with_pkcs1_is_what_the_product_verifies() {
        let key = PrivateKey::generate(AsymSpec::Rsa2048).unwrap();
        assert!(key.sign(SignAlg::RsaPkcs1Sha256, &[1; 32]).is_ok());
        assert_eq!(sha256_digest_info(&[1; 32]).len(), 51);
    }
}
