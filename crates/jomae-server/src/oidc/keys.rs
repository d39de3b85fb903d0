//! Key sets (RFC 7517): which key may check a token of which algorithm.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;

/// Largest key set, and largest discovery document, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Most keys of one set, those that are of no use here counted in.
pub const KEYS_MAX: usize = 100;

/// The algorithms that are accepted. Never `none`, and never one with a shared secret: a public key must not become one.
pub const ALGORITHMS: [Algorithm; 7] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Why a key set is of no use; for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("the key set is larger than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the key set is not a JSON object with an array `keys`")]
    Malformed,
    #[error("the key set has more than {KEYS_MAX} keys")]
    TooMany,
    #[error("the key set has no key that can check a signature")]
    Empty,
}

/// The public keys of one issuer.
pub struct KeySet(Vec<PublicKey>);

struct PublicKey {
    id: Option<String>,
    /// What the key can check, and is meant to.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set. Keys that are of no use here (for encryption, of unknown kind, damaged) are left out.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let document: Document = serde_json::from_slice(text).map_err(|_| KeySetError::Malformed)?;
        if document.keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<PublicKey> = document.keys.into_iter().filter_map(PublicKey::from_json).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// The keys to try: those of the id, or without an id the only one of the algorithm.
    pub fn candidates<'a>(&'a self, algorithm: Algorithm, id: Option<&'a str>) -> Vec<&'a DecodingKey> {
        let fitting = self.0.iter().filter(|key| key.algorithms.contains(&algorithm));
        let found: Vec<&DecodingKey> =
            fitting.filter(|key| id.is_none() || key.id.as_deref() == id).map(|key| &key.key).collect();
        if id.is_none() && found.len() > 1 { Vec::new() } else { found }
    }
}

impl PublicKey {
    fn from_json(json: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature);
        let verifies = jwk.common.key_operations.as_ref().is_none_or(|list| list.contains(&KeyOperations::Verify));
        let able = able_to(&jwk.algorithm);
        let algorithms: Vec<Algorithm> = match jwk.common.key_algorithm {
            Some(meant) => able.iter().copied().filter(|able| KeyAlgorithm::from(*able) == meant).collect(),
            None => able.to_vec(),
        };
        if !signs || !verifies || algorithms.is_empty() {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id, algorithms })
    }
}

/// What a key of this kind can check.
fn able_to(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    match parameters {
        AlgorithmParameters::RSA(_) => &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        _ => &[],
    }
}
