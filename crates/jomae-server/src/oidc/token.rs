//! Tokens: what is looked at before the keys are there, and everything that is checked with them.

use jomae_api::time::Timestamp;
use jomae_core::oidc::{Claims, OidcError, Provider, SUBJECT_BYTES_MAX, TOKEN_BYTES_MAX};
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde::Deserialize;

use super::keys::{ALGORITHMS, KeySet};

/// Seconds that an issuer's clock may be ahead of ours.
const SKEW_SECS: i64 = 60;
/// 9999-12-31T23:59:59Z, the last moment that the wire can write.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Which key a token asks for. Nothing of it is to be trusted.
pub struct Header {
    pub algorithm: Algorithm,
    pub key_id: Option<String>,
}

/// Reads the header of a token of at most [`TOKEN_BYTES_MAX`] bytes.
pub fn header(token: &str) -> Result<Header, OidcError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(OidcError::TokenMalformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| OidcError::TokenMalformed)?;
    // An extension that must be understood, and none is (RFC 7515, section 4.1.11).
    if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
        return Err(OidcError::TokenMalformed);
    }
    Ok(Header { algorithm: header.alg, key_id: header.kid })
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    nonce: Option<String>,
    azp: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Checks the signature, and only then what the token says.
pub fn claims(
    token: &str,
    header: &Header,
    keys: &KeySet,
    provider: &Provider,
    now: Timestamp,
) -> Result<Claims, OidcError> {
    let payload = signed_payload(token, header, keys)?;
    if payload.iss != provider.issuer {
        return Err(OidcError::IssuerMismatch);
    }
    let audience = match payload.aud {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    };
    let client_id =
        audience.iter().find(|one| provider.client_ids.contains(one)).cloned().ok_or(OidcError::AudienceMismatch)?;
    if payload.sub.is_empty() || payload.sub.len() > SUBJECT_BYTES_MAX || payload.sub.contains(char::is_control) {
        return Err(OidcError::TokenMalformed);
    }
    let expires = moment(payload.exp)?;
    let not_before = payload.nbf.map(moment).transpose()?;
    let issued = payload.iat.map(moment).transpose()?;
    if now >= expires {
        return Err(OidcError::TokenExpired);
    }
    let earliest = now.0.saturating_add(SKEW_SECS);
    if [not_before, issued].into_iter().flatten().any(|start| start.0 > earliest) {
        return Err(OidcError::TokenNotYetValid);
    }
    Ok(Claims {
        issuer: payload.iss,
        audience,
        client_id,
        subject: payload.sub,
        expires,
        issued,
        nonce: payload.nonce,
        authorized_party: payload.azp,
    })
}

fn signed_payload(token: &str, header: &Header, keys: &KeySet) -> Result<Payload, OidcError> {
    let mut check = Validation::new(header.algorithm);
    // The library would read the clock; times and all else are checked by the caller, at its moment.
    check.validate_exp = false;
    check.validate_aud = false;
    check.required_spec_claims.clear();
    for key in keys.candidates(header.algorithm, header.key_id.as_deref()) {
        match jsonwebtoken::decode::<Payload>(token, key, &check) {
            Ok(decoded) => return Ok(decoded.claims),
            // Signed by the provider, but without a claim that must be there, or with one of another type.
            Err(error) if matches!(error.kind(), ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_)) => {
                return Err(OidcError::TokenMalformed);
            }
            Err(_) => {}
        }
    }
    Err(OidcError::SignatureInvalid)
}

/// A NumericDate (RFC 7519, section 2): seconds, perhaps with a fraction.
fn moment(secs: f64) -> Result<Timestamp, OidcError> {
    if !(0.0..=LAST_SECOND).contains(&secs) {
        return Err(OidcError::TokenMalformed);
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the range checked above")]
    Ok(Timestamp(secs as i64))
}
