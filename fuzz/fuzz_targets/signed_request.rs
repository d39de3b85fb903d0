//! A signed request from the first byte to the verdict: HTTP head, parameters, `Presented::read`, `check_time`,
//! `verify`.
//!
//! Input: an HTTP/1.1 request. Secret and public key are those of the captured requests in the seeds, so these do verify;
//! then no other credential may.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jomae_api::sign::{Credential, NONCE_BYTES_MAX, Presented, SigningSecret, check_time};
use jomae_api::wire::{Params, Request};
use jomae_crypto::secret::SecretBytes;
use jomae_server::http::Limits;
use jomae_server::http::frame::{self, Framed};
use libfuzzer_sys::fuzz_target;

/// The moment at which the requests of the seeds were captured.
const NOW_UNIX_SECS: i64 = 1_795_432_407;

static SPKI: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text = include_str!("../../crates/jomae-api/tests/vectors/python-tea-acs3-rsa.json");
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    let pem = file["public_key_pem"].as_str().unwrap();
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
});
static SECRETS: LazyLock<[SigningSecret; 3]> = LazyLock::new(|| {
    [&b"testAccessKeySecret"[..], b"another", b""].map(|secret| SigningSecret::new(SecretBytes::new(secret.to_vec())))
});
static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);

fuzz_target!(|data: &[u8]| {
    let Ok(Framed::Complete { head, body, .. }) = frame::next(data, &LIMITS) else { return };
    let request =
        Request { method: head.method, path: head.path, query: head.query, headers: &head.headers, body: &body };
    let Ok(params) = Params::parse(request.query, request.form()) else { return };
    let Ok(presented) = Presented::read(&request, &params) else { return };
    assert!((1..=NONCE_BYTES_MAX).contains(&presented.nonce.len()));
    assert!(!presented.access_key_id.is_empty() && !presented.action.is_empty());
    assert!(!presented.string_to_sign().is_empty());
    let _ = presented.digest_to_sign();
    let _ = check_time(presented.timestamp_text, NOW_UNIX_SECS);

    let [right, another, empty] = &*SECRETS;
    let by_secret = presented.verify(Credential::Secret(right));
    let by_public_key = presented.verify(Credential::RsaPublicKey(&SPKI));
    assert!(presented.verify(Credential::Secret(another)).is_err());
    assert!(presented.verify(Credential::Secret(empty)).is_err());
    assert!(by_secret.is_err() || !presented.scheme.is_rsa());
    assert!(by_public_key.is_err() || presented.scheme.is_rsa());
    assert!(presented.verify(Credential::RsaPublicKey(data)).is_err(), "a key that is the request itself");
});
