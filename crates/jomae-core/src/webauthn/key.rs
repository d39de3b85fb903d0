//! The public key of a passkey, out of COSE (RFC 9052, RFC 9053, RFC 8230), which `coset` reads.

use coset::{
    Algorithm, AsCborValue as _, CoseKey, KeyType, Label,
    cbor::Value,
    iana::{self, EnumI64 as _},
};
use jomae_crypto::passkey::PasskeyKey;

use super::Mistake;

/// The algorithms that are asked for, in this order, by their numbers of COSE: ES256, EdDSA, RS256.
pub const ALGORITHMS: [i64; 3] = [-7, -8, -257];

/// The key, if it is one of these algorithms, and nothing is doubtful about it.
pub(super) fn of_cose(value: Value) -> Result<PasskeyKey, Mistake> {
    let key = CoseKey::from_cbor_value(value).map_err(|_| Mistake::Key)?;
    let Some(Algorithm::Assigned(algorithm)) = key.alg else { return Err(Mistake::Algorithm) };
    if !ALGORITHMS.contains(&algorithm.to_i64()) {
        return Err(Mistake::Algorithm);
    }
    let is = |kty: iana::KeyType| key.kty == KeyType::Assigned(kty);
    let found = match algorithm {
        iana::Algorithm::ES256 if is(iana::KeyType::EC2) => {
            let (x, y) = (iana::Ec2KeyParameter::X.to_i64(), iana::Ec2KeyParameter::Y.to_i64());
            has_curve(&key, iana::EllipticCurve::P_256)
                .then(|| PasskeyKey::es256(bytes(&key, x)?, bytes(&key, y)?))
                .flatten()
        }
        iana::Algorithm::EdDSA if is(iana::KeyType::OKP) => has_curve(&key, iana::EllipticCurve::Ed25519)
            .then(|| PasskeyKey::ed25519(bytes(&key, iana::OkpKeyParameter::X.to_i64())?))
            .flatten(),
        iana::Algorithm::RS256 if is(iana::KeyType::RSA) => {
            let (n, e) = (iana::RsaKeyParameter::N.to_i64(), iana::RsaKeyParameter::E.to_i64());
            bytes(&key, n).zip(bytes(&key, e)).and_then(|(n, e)| PasskeyKey::rs256(n, e))
        }
        _ => None,
    };
    found.ok_or(Mistake::Key)
}

/// The value of a parameter; none if it stands there twice.
fn param(key: &CoseKey, label: i64) -> Option<&Value> {
    let mut found = key.params.iter().filter(|(known, _)| *known == Label::Int(label));
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

fn bytes(key: &CoseKey, label: i64) -> Option<&[u8]> {
    param(key, label)?.as_bytes().map(Vec::as_slice)
}

/// Both kinds of keys name their curve under the same number.
fn has_curve(key: &CoseKey, curve: iana::EllipticCurve) -> bool {
    let named = param(key, iana::Ec2KeyParameter::Crv.to_i64()).and_then(Value::as_integer);
    named == Some(curve.to_i64().into())
}
