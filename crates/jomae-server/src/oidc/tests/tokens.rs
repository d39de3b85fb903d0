//! What a token must be.

use jomae_core::oidc::TOKEN_BYTES_MAX;
use jsonwebtoken::Header;
use proptest::prelude::*;

use super::*;
use crate::oidc::{KeySet, KeySetError, verify_with};

const ALL: [Algorithm; 7] = crate::oidc::keys::ALGORITHMS;

fn check(signers: &[&Signer], token: &str) -> Result<Claims, OidcError> {
    verify_with(&KeySet::parse(key_set(signers).as_bytes()).unwrap(), &provider(ISSUER), token, NOW)
}

/// The error, without `Debug` of the claims.
fn refused(signers: &[&Signer], token: &str) -> OidcError {
    check(signers, token).err().expect("a refusal")
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[test]
fn good_tokens_of_every_algorithm() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm, "k1");
        let claims = check(&[&signer], &signer.sign(&good_claims(ISSUER))).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((claims.issuer.as_str(), claims.subject.as_str()), (ISSUER, "repo:acme/app"));
        assert_eq!((claims.client_id.as_str(), claims.audience.len()), ("sts.aliyuncs.com", 1));
        assert_eq!((claims.expires, claims.issued), (Timestamp(NOW.0 + 300), Some(Timestamp(NOW.0 - 5))));
        // One bit of the signature, and one of the claims.
        let token = signer.sign(&good_claims(ISSUER));
        let (head, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[9] ^= 1;
        let forged = format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(refused(&[&signer], &forged), OidcError::SignatureInvalid);
        let (header, _) = head.split_once('.').unwrap();
        let other = part(&changed(good_claims(ISSUER), "sub", json!("repo:acme/other")));
        assert_eq!(refused(&[&signer], &format!("{header}.{other}.{signature}")), OidcError::SignatureInvalid);
    }
}

#[test]
fn claims_are_checked() {
    let signer = Signer::new(Algorithm::ES256, "k1");
    let good = || good_claims(ISSUER);
    let cases = [
        (changed(good(), "exp", json!(NOW.0)), OidcError::TokenExpired),
        (changed(good(), "exp", json!(NOW.0 - 1000)), OidcError::TokenExpired),
        (changed(good(), "exp", json!(0)), OidcError::TokenExpired),
        (without(good(), "exp"), OidcError::TokenMalformed),
        (changed(good(), "exp", json!("1900000000")), OidcError::TokenMalformed),
        (changed(good(), "exp", json!(null)), OidcError::TokenMalformed),
        (changed(good(), "exp", json!(1e18)), OidcError::TokenMalformed),
        (changed(good(), "exp", json!(-1)), OidcError::TokenMalformed),
        (changed(good(), "nbf", json!(NOW.0 + 61)), OidcError::TokenNotYetValid),
        (changed(good(), "iat", json!(NOW.0 + 61)), OidcError::TokenNotYetValid),
        (changed(good(), "nbf", json!("soon")), OidcError::TokenMalformed),
        (changed(good(), "iss", json!("https://ci.example.com/")), OidcError::IssuerMismatch),
        (changed(good(), "iss", json!("https://CI.example.com")), OidcError::IssuerMismatch),
        (changed(good(), "iss", json!([ISSUER])), OidcError::TokenMalformed),
        (without(good(), "iss"), OidcError::TokenMalformed),
        (changed(good(), "aud", json!("other")), OidcError::AudienceMismatch),
        (changed(good(), "aud", json!([])), OidcError::AudienceMismatch),
        (changed(good(), "aud", json!(["sts.aliyuncs.com.example.com"])), OidcError::AudienceMismatch),
        (changed(good(), "aud", json!({})), OidcError::TokenMalformed),
        (without(good(), "aud"), OidcError::TokenMalformed),
        (changed(good(), "sub", json!("")), OidcError::TokenMalformed),
        (changed(good(), "sub", json!("a\nb")), OidcError::TokenMalformed),
        (changed(good(), "sub", json!("s".repeat(257))), OidcError::TokenMalformed),
        (without(good(), "sub"), OidcError::TokenMalformed),
        (json!(["no object"]), OidcError::TokenMalformed),
    ];
    for (claims, expected) in cases {
        assert_eq!(refused(&[&signer], &signer.sign(&claims)), expected, "{claims}");
    }
    for claims in [
        changed(good(), "exp", json!(NOW.0 + 1)),
        changed(good(), "exp", json!(1_800_000_001.5)),
        changed(good(), "nbf", json!(NOW.0 + 60)),
        changed(good(), "iat", json!(NOW.0 + 60)),
        without(without(good(), "iat"), "nbf"),
        changed(good(), "sub", json!("s".repeat(256))),
    ] {
        assert!(check(&[&signer], &signer.sign(&claims)).is_ok(), "{claims}");
    }
    let many = changed(good(), "aud", json!(["other", "second", "sts.aliyuncs.com"]));
    let Ok(claims) = check(&[&signer], &signer.sign(&many)) else { panic!("refused") };
    assert_eq!((claims.client_id.as_str(), claims.audience.len()), ("second", 3));
}

#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let signer = Signer::new(Algorithm::EdDSA, "k1");
    let header = part(&json!({ "alg": "EdDSA", "kid": "k1" }));
    let text = good_claims(ISSUER).to_string().replace("\"sub\":", "\"sub\":\"repo:acme/first\",\"sub\":");
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(text));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signer.key, signer.algorithm).unwrap();
    assert_eq!(refused(&[&signer], &format!("{message}.{signature}")), OidcError::TokenMalformed);
}

#[test]
fn tokens_without_a_signature_are_refused() {
    let signer = Signer::new(Algorithm::RS256, "k1");
    let claims = part(&good_claims(ISSUER));
    for alg in ["none", "None", "NONE", "", "HS256", "HS512", "RS1", "PS512", "ES512"] {
        let header = part(&json!({ "alg": alg, "kid": "k1", "typ": "JWT" }));
        for token in [format!("{header}.{claims}."), format!("{header}.{claims}.AAAA"), format!("{header}.{claims}")] {
            let error = refused(&[&signer], &token);
            // PS512 is known to the library, so that one is named; the others do not even parse.
            assert_eq!(error, OidcError::TokenMalformed, "{alg}");
        }
    }
    for token in ["", ".", "..", "a.b.c", "a.b.c.d.e", "\u{e9}.x.y"] {
        assert_eq!(refused(&[&signer], token), OidcError::TokenMalformed, "{token}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let signer = Signer::new(Algorithm::RS256, "k1");
    let secret = |bytes: Vec<u8>| Signer {
        algorithm: Algorithm::HS256,
        key: EncodingKey::from_secret(&bytes),
        id: "k1".into(),
        jwk: Value::Null,
    };
    let modulus = URL_SAFE_NO_PAD.decode(signer.jwk["n"].as_str().unwrap()).unwrap();
    for bytes in [modulus, signer.jwk.to_string().into_bytes(), key_set(&[&signer]).into_bytes()] {
        let token = secret(bytes).sign(&good_claims(ISSUER));
        assert_eq!(refused(&[&signer], &token), OidcError::TokenMalformed);
    }
    // Not even a secret that stands in the key set itself.
    let shared = json!({ "kty": "oct", "kid": "s", "k": URL_SAFE_NO_PAD.encode("secret"), "alg": "HS256" });
    let only = KeySet::parse(json!({ "keys": [shared] }).to_string().as_bytes()).err();
    assert_eq!(only, Some(KeySetError::Empty));
}

#[test]
fn the_key_is_chosen_by_its_id_and_algorithm() {
    let (first, second) = (Signer::new(Algorithm::ES256, "k1"), Signer::new(Algorithm::ES256, "k2"));
    let edwards = Signer::new(Algorithm::EdDSA, "k3");
    let all = [&first, &second, &edwards];
    for signer in all {
        assert!(check(&all, &signer.sign(&good_claims(ISSUER))).is_ok());
    }
    let named = |id: Option<&str>, signer: &Signer| {
        let mut header = Header::new(signer.algorithm);
        header.kid = id.map(str::to_owned);
        jsonwebtoken::encode(&header, &good_claims(ISSUER), &signer.key).unwrap()
    };
    assert_eq!(refused(&all, &named(Some("k9"), &first)), OidcError::SignatureInvalid);
    assert_eq!(refused(&all, &named(Some("k2"), &first)), OidcError::SignatureInvalid);
    assert_eq!(refused(&all, &named(Some("k3"), &first)), OidcError::SignatureInvalid);
    // Without an id, only where there is no choice.
    assert_eq!(refused(&all, &named(None, &first)), OidcError::SignatureInvalid);
    assert!(check(&all, &named(None, &edwards)).is_ok());
    assert_eq!(refused(&[&second], &named(None, &first)), OidcError::SignatureInvalid);

    // A key says what it is for.
    let meant = |name: &str, value: Value| Signer {
        jwk: changed(first.jwk.clone(), name, value),
        ..Signer::new(Algorithm::ES256, "k1")
    };
    for bad in [meant("use", json!("enc")), meant("key_ops", json!(["sign"])), meant("alg", json!("ES384"))] {
        let keys = [&bad, &second];
        assert_eq!(refused(&keys, &first.sign(&good_claims(ISSUER))), OidcError::SignatureInvalid);
    }
    let good = [meant("use", json!("sig")), meant("key_ops", json!(["verify"]))];
    for good in good {
        assert!(check(&[&good, &second], &first.sign(&good_claims(ISSUER))).is_ok());
    }
    // An RSA key for one algorithm is not used for another.
    let rsa = Signer::new(Algorithm::RS256, "r");
    let pss = Signer::new(Algorithm::PS256, "r");
    assert_eq!(refused(&[&rsa], &pss.sign(&good_claims(ISSUER))), OidcError::SignatureInvalid);
}

#[test]
fn keys_within_the_token_are_not_used() {
    let (own, foreign) = (Signer::new(Algorithm::ES256, "k1"), Signer::new(Algorithm::ES256, "k1"));
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k1".into());
    header.jwk = Some(serde_json::from_value(foreign.jwk.clone()).unwrap());
    header.jku = Some("https://attacker.example.com/keys".into());
    let token = jsonwebtoken::encode(&header, &good_claims(ISSUER), &foreign.key).unwrap();
    assert_eq!(refused(&[&own], &token), OidcError::SignatureInvalid);
}

#[test]
fn extensions_that_must_be_understood_are_refused() {
    let signer = Signer::new(Algorithm::ES256, "k1");
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k1".into());
    header.crit = Some(vec!["exp".into()]);
    let token = jsonwebtoken::encode(&header, &good_claims(ISSUER), &signer.key).unwrap();
    assert_eq!(refused(&[&signer], &token), OidcError::TokenMalformed);
}

#[test]
fn large_tokens_are_refused_before_they_are_read() {
    let signer = Signer::new(Algorithm::ES256, "k1");
    let padded = |chars: usize| signer.sign(&changed(good_claims(ISSUER), "pad", json!("p".repeat(chars))));
    let fits = (0..16_000).rev().map(padded).find(|token| token.len() <= TOKEN_BYTES_MAX).unwrap();
    assert!(fits.len() > TOKEN_BYTES_MAX - 4 && check(&[&signer], &fits).is_ok());
    let large = padded(16_000);
    assert!(large.len() > TOKEN_BYTES_MAX);
    assert_eq!(refused(&[&signer], &large), OidcError::TokenMalformed);
}

#[test]
fn key_sets_have_bounds() {
    let signer = Signer::new(Algorithm::ES256, "k1");
    let set = |count: usize| json!({ "keys": vec![signer.jwk.clone(); count] }).to_string();
    let error = |text: &str| KeySet::parse(text.as_bytes()).err();
    assert_eq!(error(&set(100)), None);
    assert_eq!(error(&set(101)), Some(KeySetError::TooMany));
    assert_eq!(error(&set(0)), Some(KeySetError::Empty));
    assert_eq!(error(&format!("{}{}", set(1), " ".repeat(256 * 1024))), Some(KeySetError::TooLarge));
    for bad in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]} x"] {
        assert_eq!(error(bad), Some(KeySetError::Malformed), "{bad}");
    }
    // What is of no use is left out; what is of use stays.
    let odd = json!([1, {}, { "kty": "EC" }, { "kty": "RSA", "n": "!", "e": "AQAB" }, { "kty": "OKP", "crv": "X25519", "x": "AA" }]);
    assert_eq!(error(&json!({ "keys": odd }).to_string()), Some(KeySetError::Empty));
    let mixed = json!({ "keys": [odd[0], odd[1], odd[2], odd[3], odd[4], signer.jwk] }).to_string();
    let keys = KeySet::parse(mixed.as_bytes()).unwrap();
    assert!(verify_with(&keys, &provider(ISSUER), &signer.sign(&good_claims(ISSUER)), NOW).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_token_is_a_panic(token in "[A-Za-z0-9_.-]{0,400}|.{0,200}") {
        let signer = Signer::new(Algorithm::ES256, "k1");
        prop_assert!(check(&[&signer], &token).is_err());
    }

    #[test]
    fn no_key_set_is_a_panic(text in "\\{\"keys\":\\[\\{\"kty\":\"(RSA|EC|OKP|oct)\",\"(n|x|crv|k)\":\"[A-Za-z0-9=-]{0,20}\",\"(e|y|x)\":\"[A-Za-z0-9_-]{0,50}\"\\}\\]\\}|.{0,100}") {
        let signer = Signer::new(Algorithm::ES256, "k1");
        if let Ok(keys) = KeySet::parse(text.as_bytes()) {
            prop_assert!(verify_with(&keys, &provider(ISSUER), &signer.sign(&good_claims(ISSUER)), NOW).is_err());
        }
    }

    #[test]
    fn a_changed_token_is_refused(at in 0_usize..1000, by in 1_u8..64) {
        let signer = Signer::new(Algorithm::EdDSA, "k1");
        let token = signer.sign(&good_claims(ISSUER));
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bytes = token.into_bytes();
        let at = at % bytes.len();
        let place = alphabet.iter().position(|b| *b == bytes[at]);
        bytes[at] = place.map_or(b'A', |place| alphabet[(place + usize::from(by)) % 64]);
        prop_assert!(check(&[&signer], std::str::from_utf8(&bytes).unwrap()).is_err());
    }
}
