//! Tokens and key sets of identity providers: `oidc::verify_with`, `KeySet::parse`.
//!
//! Input: what it is, then the text. 0: a token, checked against a key that has signed one token alone, so no other may be
//! accepted. 1: a key set, which accepts that token only if the key stands in it.

#![no_main]

use std::sync::LazyLock;

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::oidc::Provider;
use jomae_server::oidc::{KEY_SET_BYTES_MAX, KeySet, verify_with};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_800_000_000);
const TOKEN: &str = include_str!("../seeds/oidc_token/token");
const KEYS: &str = include_str!("../seeds/oidc_token/keys");
const POINT: &str = "K8yPjpyTfiUkVQZ6_7KnyZGS2pOtMgypiGnzXxZsd-E";

static PROVIDER: LazyLock<Provider> = LazyLock::new(|| Provider {
    account: AccountId::new("1234567890123456").unwrap(),
    name: "ci".to_owned(),
    issuer: "https://ci.example.com".to_owned(),
    client_ids: vec!["sts.aliyuncs.com".to_owned()],
});
static KEY_SET: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(&KEYS.as_bytes()[1..]).unwrap());

fuzz_target!(|input: &[u8]| {
    let (kind, text) = input.split_first().unwrap_or((&0, &[]));
    let token = &TOKEN[1..];
    if *kind == 0 {
        let Ok(text) = std::str::from_utf8(text) else { return };
        let accepted = verify_with(&KEY_SET, &PROVIDER, text, NOW);
        assert_eq!(accepted.is_ok(), text == token);
        if let Ok(claims) = accepted {
            assert_eq!((claims.subject.as_str(), claims.expires.0), ("repo:acme/app", NOW.0 + 300));
        }
    } else if let Ok(keys) = KeySet::parse(text) {
        assert!(text.len() <= KEY_SET_BYTES_MAX);
        if verify_with(&keys, &PROVIDER, token, NOW).is_ok() {
            let document: serde_json::Value = serde_json::from_slice(text).unwrap();
            let points = document["keys"].as_array().unwrap().iter().map(|key| &key["x"]);
            assert!(points.into_iter().any(|point| point == POINT));
        }
    }
});
