//! RPC v1: everything, the signature included, is a parameter of query or form body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jomae_crypto::mac::{Mac, MacKey, Tag};
use jomae_crypto::{rsa, secret};
use zeroize::Zeroizing;

use super::{Credential, Presented, Proof, RSA_SIGNATURE_BYTES_MAX, Scheme, SignError, canonical};
use crate::wire::percent::Sink;
use crate::wire::{Format, Params, Request};

pub(super) fn read<'a>(request: &Request<'a>, params: &'a Params<'a>) -> Result<Presented<'a>, SignError> {
    let need = |name| params.given(name).ok_or(SignError::MissingParameter(name));
    let signature = params.given("Signature");
    let kind = params.given("SignatureType").unwrap_or_default();
    let bearer_header = ["x-acs-bearer-token", "x-acs-zero-trust-idtoken"].iter().any(|h| request.header(h).is_some());
    if kind.eq_ignore_ascii_case("BEARERTOKEN")
        || params.given("BearerToken").is_some()
        || (signature.is_none() && bearer_header)
    {
        return Err(SignError::UnsupportedBearer);
    }
    let access_key_id = need("AccessKeyId")?;
    let signature = signature.ok_or(SignError::IncompleteSignature)?;
    let scheme = match (need("SignatureMethod")?, kind) {
        ("HMAC-SHA1", "") => Scheme::RpcV1HmacSha1,
        ("SHA256withRSA", "PRIVATEKEY") => Scheme::RpcV1RsaSha256,
        _ => return Err(SignError::UnsupportedSignatureMethod),
    };
    if need("SignatureVersion")? != "1.0" {
        return Err(SignError::UnsupportedSignatureVersion);
    }
    Ok(Presented {
        scheme,
        access_key_id,
        timestamp_text: params.given("Timestamp").ok_or(SignError::IllegalTimestamp)?,
        nonce: need("SignatureNonce")?,
        action: params.given("Action").ok_or(SignError::MissingAction)?,
        api_version: need("Version")?,
        security_token: params.given("SecurityToken"),
        format: Format::requested(params),
        request: *request,
        params,
        proof: Proof::Rpc(signature),
    })
}

/// The string to sign: all parameters but the signature itself.
pub(super) fn canonical<S: Sink>(presented: &Presented<'_>, sink: &mut S) {
    let signed = presented.params.iter().filter(|(name, _)| *name != "Signature");
    canonical::rpc(presented.request.method, signed, sink);
}

pub(super) fn verify(presented: &Presented<'_>, signature: &str, credential: Credential<'_>) -> bool {
    match (presented.scheme, credential) {
        (Scheme::RpcV1HmacSha1, Credential::Secret(secret)) => {
            let Some(key) = secret.mac_key(presented.scheme) else { return false };
            let tag = tag(key, |mac| canonical(presented, mac));
            let mut expected = [0; 28];
            let written = STANDARD.encode_slice(&*tag, &mut expected).unwrap_or_default();
            written == expected.len() && secret::ct_eq(&expected, signature.as_bytes())
        }
        (Scheme::RpcV1RsaSha256, Credential::RsaPublicKey(spki)) => {
            if signature.len() > RSA_SIGNATURE_BYTES_MAX.div_ceil(3) * 4 {
                return false;
            }
            let mut message = Zeroizing::new(Vec::new());
            canonical(presented, &mut *message);
            STANDARD.decode(signature).is_ok_and(|signature| rsa::verify_pkcs1_sha256(spki, &message, &signature))
        }
        _ => false,
    }
}

/// The HMAC of what `write` writes.
pub(super) fn tag(key: &MacKey, write: impl FnOnce(&mut Mac)) -> Tag {
    let mut mac = Mac::with_key(key);
    write(&mut mac);
    mac.finish()
}
