//! ACS3 and ACS4: the signature is in `Authorization` and covers the headers that it lists.

use jomae_crypto::hash::{DIGEST_BYTES, Hasher};
use jomae_crypto::mac::{Mac, MacKey, Tag};
use jomae_crypto::{rsa, secret};

use super::{
    AUTHORIZATION_BYTES_MAX, Credential, HEADER_VALUE_BYTES_MAX, HEADERS_MAX, Presented, RSA_SIGNATURE_BYTES_MAX,
    Scheme, SignError, canonical,
};
use crate::time::Timestamp;
use crate::wire::percent::Sink;
use crate::wire::{Format, Params, Request};

/// What `Authorization` says, and the headers that it covers.
pub(super) struct Proof<'a> {
    scope: Option<Scope<'a>>,
    /// The text of `SignedHeaders`.
    signed_headers: &'a str,
    headers: Vec<Signed<'a>>,
    signature: &'a str,
    payload_hash: &'a str,
    /// A header that decides what the request means was sent twice. Two of them joined can read as one other value,
    /// so such a signature is never right.
    ambiguous: bool,
}

/// One name of `SignedHeaders` with the trimmed value received.
struct Signed<'a> {
    name: &'a str,
    value: Option<&'a [u8]>,
    repeated: bool,
}

/// The credential scope of ACS4: what the signing key is derived from.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `yyyymmdd`.
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) product: &'a str,
}

/// The last part of a credential scope.
pub(super) const SCOPE_END: &str = "aliyun_v4_request";

pub(super) fn read<'a>(
    request: &Request<'a>,
    params: &'a Params<'a>,
    authorization: &'a [u8],
) -> Result<Presented<'a>, SignError> {
    let Authorization { scheme, credential, signed_headers, signature } = parse_authorization(authorization)?;
    let (access_key_id, scope) = if scheme.is_acs4() { split_scope(credential)? } else { (credential, None) };
    let headers = collect(request, signed_headers)?;

    let text = |name: &str| {
        let value = headers.iter().find(|signed| signed.name == name)?.value?;
        std::str::from_utf8(value).ok().filter(|text| !text.is_empty())
    };
    let need = |name| text(name).ok_or(SignError::MissingParameter(name));
    if request.header("x-acs-bearer-token").is_some() {
        return Err(SignError::UnsupportedBearer);
    }
    let timestamp_text = need("x-acs-date")?;
    let nonce = need("x-acs-signature-nonce")?;
    let action = text("x-acs-action").ok_or(SignError::MissingAction)?;
    let api_version = need("x-acs-version")?;
    let payload_hash = need(scheme.payload_hash_header())?;
    let security_token = text("x-acs-security-token");

    let listed = |name: &str| headers.iter().any(|signed| signed.name == name);
    // Without this, whoever can change the content type decides whether the body counts as parameters.
    let content_type_open = !request.body.is_empty() && request.form().is_some() && !listed("content-type");
    let other_key = text("x-acs-accesskey-id").is_some_and(|id| id != access_key_id);
    let absent = headers.iter().any(|signed| signed.value.is_none());
    if content_type_open || other_key || absent || !listed("host") {
        return Err(SignError::IncompleteSignature);
    }
    // A malformed time stamp has an error of its own, later.
    if let Some(scope) = &scope
        && Timestamp::parse(timestamp_text).is_some()
        && !timestamp_text.bytes().take(10).filter(|byte| *byte != b'-').eq(scope.date.bytes())
    {
        return Err(SignError::IncompleteSignature);
    }
    let decisive = |name: &str| name.starts_with("x-acs-") || name == "host" || name == "content-type";
    let ambiguous = headers.iter().any(|signed| signed.repeated && decisive(signed.name));
    Ok(Presented {
        scheme,
        access_key_id,
        action,
        api_version,
        timestamp_text,
        nonce,
        security_token,
        format: Format::requested(params),
        request: *request,
        params,
        proof: super::Proof::Acs(Proof { scope, signed_headers, headers, signature, payload_hash, ambiguous }),
    })
}

struct Authorization<'a> {
    scheme: Scheme,
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Reads `<scheme> Credential=…,SignedHeaders=…,Signature=…`; the three parts in any order, each once, none other.
fn parse_authorization(value: &[u8]) -> Result<Authorization<'_>, SignError> {
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return Err(SignError::IncompleteSignature);
    }
    let text = std::str::from_utf8(value).map_err(|_| SignError::IncompleteSignature)?;
    let (name, parts) = text.split_once(' ').ok_or(SignError::IncompleteSignature)?;
    let scheme = Scheme::ALL
        .into_iter()
        .find(|scheme| !scheme.is_rpc() && scheme.name() == name)
        .ok_or(SignError::UnsupportedSignatureMethod)?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in parts.split(',') {
        let (key, value) = part.trim_ascii().split_once('=').ok_or(SignError::IncompleteSignature)?;
        let slot = match key {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(SignError::IncompleteSignature),
        };
        if value.is_empty() || slot.replace(value).is_some() {
            return Err(SignError::IncompleteSignature);
        }
    }
    match (credential, signed_headers, signature) {
        (Some(credential), Some(signed_headers), Some(signature)) => {
            Ok(Authorization { scheme, credential, signed_headers, signature })
        }
        _ => Err(SignError::IncompleteSignature),
    }
}

/// Splits `<id>/<yyyymmdd>/<region>/<product>/aliyun_v4_request`.
fn split_scope(credential: &str) -> Result<(&str, Option<Scope<'_>>), SignError> {
    let mut parts = credential.split('/');
    let mut next = || parts.next().filter(|part| !part.is_empty()).ok_or(SignError::IncompleteSignature);
    let (id, date, region, product, end) = (next()?, next()?, next()?, next()?, next()?);
    if end != SCOPE_END || parts.next().is_some() {
        return Err(SignError::IncompleteSignature);
    }
    Ok((id, Some(Scope { date, region, product })))
}

/// Finds the received value of each signed header. Every received `x-acs-*` and `host` header must be signed: an
/// unsigned one could come from anyone. Values of `x-acs-*` headers are UTF-8.
fn collect<'a>(request: &Request<'a>, signed_headers: &'a str) -> Result<Vec<Signed<'a>>, SignError> {
    let mut headers: Vec<Signed<'a>> = Vec::with_capacity(16);
    let lower = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    for name in signed_headers.split(';') {
        if name.is_empty()
            || !name.bytes().all(lower)
            || headers.len() == HEADERS_MAX
            || headers.iter().any(|signed| signed.name == name)
        {
            return Err(SignError::IncompleteSignature);
        }
        headers.push(Signed { name, value: None, repeated: false });
    }
    if request.headers.len() > HEADERS_MAX {
        return Err(SignError::IncompleteSignature);
    }
    for header in request.headers {
        match headers.iter_mut().find(|signed| signed.name.eq_ignore_ascii_case(header.name)) {
            Some(_) if header.value.len() > HEADER_VALUE_BYTES_MAX => return Err(SignError::IncompleteSignature),
            Some(signed) if signed.value.is_some() => signed.repeated = true,
            Some(signed) => {
                if signed.name.starts_with("x-acs-") && std::str::from_utf8(header.value).is_err() {
                    return Err(SignError::IncompleteSignature);
                }
                signed.value = Some(header.value.trim_ascii());
            }
            None if must_be_signed(header.name) => return Err(SignError::IncompleteSignature),
            None => {}
        }
    }
    Ok(headers)
}

fn must_be_signed(name: &str) -> bool {
    name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-acs-")) || name.eq_ignore_ascii_case("host")
}

/// The canonical request.
pub(super) fn canonical<S: Sink>(presented: &Presented<'_>, proof: &Proof<'_>, sink: &mut S) {
    let request = &presented.request;
    let texts = canonical::Acs {
        method: request.method,
        path: request.path,
        signed_headers: proof.signed_headers,
        payload_hash: proof.payload_hash,
    };
    let headers = proof.headers.iter().map(|signed| {
        let all = if signed.repeated { repeated_values(request, signed.name) } else { Vec::new() };
        let single = if signed.repeated { None } else { signed.value };
        (signed.name, single.into_iter().chain(all))
    });
    canonical::acs(&texts, presented.params.iter_query(), headers, sink);
}

/// All values of a repeated header, trimmed and sorted.
fn repeated_values<'a>(request: &Request<'a>, name: &str) -> Vec<&'a [u8]> {
    let same = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let mut values: Vec<&[u8]> = same.map(|header| header.value.trim_ascii()).collect();
    values.sort_unstable();
    values
}

pub(super) fn digest_to_sign(presented: &Presented<'_>, proof: &Proof<'_>) -> String {
    let mut hasher = Hasher::new(presented.scheme.hash_alg());
    canonical(presented, proof, &mut hasher);
    name_digest(presented.scheme, &hasher.finish())
}

/// The scheme's name, a newline, and the digest in hexadecimal.
pub(super) fn name_digest(scheme: Scheme, digest: &[u8; DIGEST_BYTES]) -> String {
    let mut text = String::with_capacity(96);
    text.push_str(scheme.name());
    text.push('\n');
    text.extend(digest_hex(digest).map(char::from));
    text
}

pub(super) fn verify(presented: &Presented<'_>, proof: &Proof<'_>, credential: Credential<'_>) -> bool {
    let body_hash = hash_hex(presented.scheme, presented.request.body);
    let body_intact = body_hash.as_slice() == proof.payload_hash.as_bytes();
    let genuine = verify_head(presented, proof, credential);
    genuine && body_intact
}

/// The same for a request whose body is not there yet: only whether its hash was signed.
pub(super) fn verify_head(presented: &Presented<'_>, proof: &Proof<'_>, credential: Credential<'_>) -> bool {
    let scheme = presented.scheme;
    let to_sign = digest_to_sign(presented, proof);
    let genuine = match (scheme.is_rsa(), credential) {
        (false, Credential::Secret(secret)) => {
            let Some(key) = secret.mac_key(scheme) else { return false };
            let tag = tag(scheme, key, proof.scope.as_ref(), &to_sign);
            let expected = <&[u8; DIGEST_BYTES]>::try_from(&*tag).map(digest_hex);
            expected.is_ok_and(|expected| secret::ct_eq(&expected, proof.signature.as_bytes()))
        }
        (true, Credential::RsaPublicKey(spki)) => {
            let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            proof.signature.len() <= RSA_SIGNATURE_BYTES_MAX * 2
                && proof.signature.bytes().all(lower_hex)
                && hex::decode(proof.signature)
                    .is_ok_and(|signature| rsa::verify_pkcs1_sha256(spki, to_sign.as_bytes(), &signature))
        }
        _ => false,
    };
    genuine && !proof.ambiguous
}

/// The scheme's hash of `bytes`, in lower-case hexadecimal.
pub(super) fn hash_hex(scheme: Scheme, bytes: &[u8]) -> [u8; DIGEST_BYTES * 2] {
    let mut hasher = Hasher::new(scheme.hash_alg());
    hasher.update(bytes);
    digest_hex(&hasher.finish())
}

fn digest_hex(digest: &[u8; DIGEST_BYTES]) -> [u8; DIGEST_BYTES * 2] {
    let mut text = [0; DIGEST_BYTES * 2];
    // The lengths fit, so it cannot fail; if it did, the zeros would match no signature.
    let _ = hex::encode_to_slice(digest, &mut text);
    text
}

/// The HMAC of `message` under the key of the secret (ACS3) or under the one derived from it for the scope (ACS4).
pub(super) fn tag(scheme: Scheme, key: &MacKey, scope: Option<&Scope<'_>>, message: &str) -> Tag {
    let mac = |key: &MacKey, text: &str| {
        let mut mac = Mac::with_key(key);
        mac.update(text.as_bytes());
        mac.finish()
    };
    let Some(scope) = scope else {
        return mac(key, message);
    };
    let derived = |key: &MacKey, text: &str| MacKey::new(scheme.mac_alg(), &mac(key, text));
    let of_product = derived(&derived(&derived(key, scope.date), scope.region), scope.product);
    mac(&derived(&of_product, SCOPE_END), message)
}
