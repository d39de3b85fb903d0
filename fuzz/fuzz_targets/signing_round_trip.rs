//! What the client signs the server verifies, and no changed copy of it.
//!
//! Input: parameters of a call, and one change of one byte of the request that was signed.

#![no_main]

use jomae_api::sign::client::{SignRequest, SigningKey};
use jomae_api::sign::{Credential, Presented, Scheme, SigningSecret};
use jomae_api::wire::{Header, Params, Request};
use jomae_crypto::secret::SecretBytes;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Call {
    scheme: HmacScheme,
    secret: Vec<u8>,
    params: Vec<(String, String)>,
    form: Vec<(String, String)>,
    post: bool,
    token: bool,
    change: Change,
}

#[derive(Arbitrary, Debug)]
enum HmacScheme {
    Rpc,
    Acs3,
    Acs3Sm3,
    Acs4,
    Acs4Sm3,
}

#[derive(Arbitrary, Debug)]
struct Change {
    place: Place,
    at: u16,
    xor: u8,
}

#[derive(Arbitrary, Debug, PartialEq)]
enum Place {
    Query,
    Body,
    Header(u8),
    Method,
    Secret,
}

const ACCESS_KEY_ID: &str = "testAccessKeyId";
const DATE: &str = "2026-11-23T11:13:27Z";

/// Whether the server, with this secret, takes the request.
fn verifies(method: &str, query: &str, headers: &[(String, Vec<u8>)], body: &[u8], secret: &[u8]) -> bool {
    let headers: Vec<Header<'_>> = headers.iter().map(|(name, value)| Header { name, value }).collect();
    let request = Request { method, path: "/", query, headers: &headers, body };
    let secret = SigningSecret::new(SecretBytes::new(secret.to_vec()));
    let Ok(params) = Params::parse(request.query, request.form()) else { return false };
    Presented::read(&request, &params).is_ok_and(|presented| {
        // The id is not signed in every scheme: it chooses the secret.
        presented.access_key_id == ACCESS_KEY_ID && presented.verify(Credential::Secret(&secret)).is_ok()
    })
}

/// All parameters, decoded: two requests that read the same are the same request.
fn read(query: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let params = Params::parse(query, Some(body)).ok()?;
    Some(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn flip(bytes: &mut [u8], change: &Change) {
    if !bytes.is_empty() {
        let at = usize::from(change.at) % bytes.len();
        bytes[at] ^= change.xor;
    }
}

fuzz_target!(|call: Call| {
    let pairs = |list: &'_ [(String, String)]| -> Vec<(String, String)> {
        list.iter().filter(|(name, _)| !name.is_empty()).cloned().collect()
    };
    let (params, form) = (pairs(&call.params), pairs(&call.form));
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let scheme = match call.scheme {
        HmacScheme::Rpc => Scheme::RpcV1HmacSha1,
        HmacScheme::Acs3 => Scheme::Acs3HmacSha256,
        HmacScheme::Acs3Sm3 => Scheme::Acs3HmacSm3,
        HmacScheme::Acs4 => Scheme::Acs4HmacSha256,
        HmacScheme::Acs4Sm3 => Scheme::Acs4HmacSm3,
    };
    let method = if call.post { "POST" } else { "GET" };
    let signed = SignRequest {
        scheme,
        access_key_id: ACCESS_KEY_ID,
        key: SigningKey::Secret(&call.secret),
        security_token: call.token.then_some("token"),
        action: "Encrypt",
        version: "2016-01-20",
        host: "kms.cn-hangzhou.example",
        method,
        params: &params,
        form: &form,
        date: DATE,
        nonce: "6a88e1390dd26c20fe014a0711d77b76",
        region: "cn-hangzhou",
    }
    .sign();
    let Ok(signed) = signed else { return };
    let headers: Vec<(String, Vec<u8>)> =
        signed.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    let Some(meaning) = read(&signed.query, &signed.body) else { return };
    // Names that change what the request is: a token in place of a signature, another kind of signature.
    if meaning.iter().any(|(name, _)| matches!(name.as_str(), "BearerToken" | "SignatureType" | "SecurityToken")) {
        return;
    }
    assert!(verifies(method, &signed.query, &headers, &signed.body, &call.secret), "our own signature is refused");

    let (mut query, mut body, mut changed_headers, mut secret) =
        (signed.query.clone().into_bytes(), signed.body.clone(), headers.clone(), call.secret.clone());
    let mut changed_method = method.as_bytes().to_vec();
    let change = &call.change;
    match &change.place {
        Place::Query => flip(&mut query, change),
        Place::Body => flip(&mut body, change),
        Place::Method => flip(&mut changed_method, change),
        Place::Secret => flip(&mut secret, change),
        Place::Header(index) => {
            let index = usize::from(*index) % changed_headers.len();
            flip(&mut changed_headers[index].1, change);
        }
    }
    let (Ok(query), Ok(changed_method)) = (String::from_utf8(query), String::from_utf8(changed_method)) else { return };
    let same_headers = changed_headers.iter().zip(&headers).all(|((name, changed), (_, value))| {
        // Not signed in RPC v1 at all; `accept` never; blanks around a value mean nothing.
        changed.trim_ascii() == value.trim_ascii() || name == "accept" || matches!(call.scheme, HmacScheme::Rpc)
    });
    let same_body = match call.scheme {
        HmacScheme::Rpc => true,
        _ => body == signed.body,
    };
    let same_parameters = read(&query, &body) == Some(meaning);
    // HMAC fills its key with zeros, but a flip does not change the length.
    let same = same_parameters && same_headers && same_body && changed_method == method && secret == call.secret;
    let taken = verifies(&changed_method, &query, &changed_headers, &body, &secret);
    assert!(!taken || same, "a changed request is taken: {change:?}");
});
