//! Providers, keys and tokens for the tests, and the tests of the configuration.

mod fetching;
mod organization;
mod server;
mod tokens;

use std::{fs, path::PathBuf, sync::LazyLock};

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair as _, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::oidc::{Claims, OidcError, Provider, TokenVerifier as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};

use super::Verifier;
use crate::config::{Config, OidcProviderConfig};

pub const ISSUER: &str = "https://ci.example.com";
pub const NOW: Timestamp = Timestamp(1_800_000_000);

/// A key of the issuer and its public half.
pub struct Signer {
    pub algorithm: Algorithm,
    pub key: EncodingKey,
    pub id: String,
    pub jwk: Value,
}

impl Signer {
    pub fn new(algorithm: Algorithm, id: &str) -> Self {
        let (key, mut jwk) = match algorithm {
            Algorithm::ES256 => elliptic(algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => elliptic(algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDSA => edwards(),
            _ => with_jwk(algorithm, EncodingKey::from_rsa_der(&RSA)),
        };
        jwk["kid"] = json!(id);
        Self { algorithm, key, id: id.to_owned(), jwk }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn with_jwk(algorithm: Algorithm, key: EncodingKey) -> (EncodingKey, Value) {
    let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
    (key, jwk)
}

fn elliptic(algorithm: Algorithm, signing: &'static EcdsaSigningAlgorithm) -> (EncodingKey, Value) {
    let der = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).unwrap();
    with_jwk(algorithm, EncodingKey::from_ec_der(der.as_ref()))
}

fn edwards() -> (EncodingKey, Value) {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
    let point = URL_SAFE_NO_PAD.encode(pair.public_key());
    (EncodingKey::from_ed_der(der.as_ref()), json!({ "kty": "OKP", "crv": "Ed25519", "x": point, "alg": "EdDSA" }))
}

/// One RSA key for all tests, in PKCS#1: making them is slow.
static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let der = RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    pkcs8::PrivateKeyInfoRef::try_from(der.as_ref()).unwrap().private_key.as_bytes().to_vec()
});

pub fn key_set(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| &signer.jwk).collect::<Vec<_>>() }).to_string()
}

pub fn provider(issuer: &str) -> Provider {
    Provider {
        account: AccountId::new("1234567890123456").unwrap(),
        name: "ci".to_owned(),
        issuer: issuer.to_owned(),
        client_ids: vec!["sts.aliyuncs.com".to_owned(), "second".to_owned()],
    }
}

pub fn config(issuer: &str) -> OidcProviderConfig {
    let provider = provider(issuer);
    OidcProviderConfig {
        account: provider.account.to_string(),
        name: provider.name,
        issuer: provider.issuer,
        client_ids: provider.client_ids,
        jwks_file: None,
        jwks_uri: None,
        allow_private: false,
        ca_file: None,
        console: None,
    }
}

/// Claims that are accepted at [`NOW`].
pub fn good_claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": "sts.aliyuncs.com", "sub": "repo:acme/app", "exp": NOW.0 + 300, "iat": NOW.0 - 5,
        "nbf": NOW.0 - 5, "jti": "1", "actor": { "nested": [1, 2] },
    })
}

pub fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

pub fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub async fn verify(verifier: &Verifier, token: &str, now: Timestamp) -> Result<Claims, OidcError> {
    let provider = verifier.provider("acs:ram::1234567890123456:oidc-provider/ci").unwrap();
    verifier.verify(provider, token, now).await
}

fn refusal(config: OidcProviderConfig) -> String {
    Verifier::from_config(&[config]).err().expect("a mistake").to_string()
}

#[test]
fn the_configuration_is_read() {
    let text = r#"
        [[oidc_provider]]
        account = "1234567890123456"
        name = "ci"
        issuer = "https://ci.example.com"
        client_ids = ["sts.aliyuncs.com"]

        [[oidc_provider]]
        account = "1234567890123456"
        name = "cluster"
        issuer = "https://kubernetes.default.svc"
        client_ids = ["sts.aliyuncs.com"]
        jwks_uri = "https://10.0.0.1:6443/openid/v1/jwks"
        allow_private = true
    "#;
    let verifier = Verifier::from_config(&Config::parse(text).unwrap().oidc_providers).unwrap();
    let cluster = verifier.provider("acs:ram::1234567890123456:oidc-provider/cluster").unwrap();
    assert_eq!(cluster.issuer, "https://kubernetes.default.svc");
    assert!(verifier.provider("acs:ram::1234567890123456:oidc-provider/other").is_none());
    assert!(Verifier::from_config(&Config::parse("").unwrap().oidc_providers).unwrap().entries.is_empty());

    let missing = Config::parse("[[oidc_provider]]\naccount = \"1234567890123456\"\nname = \"ci\"\n").unwrap_err();
    assert!(missing.contains("missing field `issuer`"), "{missing}");
    let unknown = Config::parse("[[oidc_provider]]\naccount = \"1\"\njwks = \"x\"\n").unwrap_err();
    assert!(unknown.contains("unknown field `jwks`"), "{unknown}");
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| -> Option<PathBuf> {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        Some(path)
    };
    let good = || config(ISSUER);
    let cases = [
        (OidcProviderConfig { account: "123".into(), ..good() }, "not a 16-digit account id"),
        (OidcProviderConfig { name: "a/b".into(), ..good() }, "name must be"),
        (OidcProviderConfig { name: "a\nb".into(), ..good() }, "name must be"),
        (OidcProviderConfig { issuer: String::new(), ..good() }, "issuer must be"),
        (OidcProviderConfig { issuer: "https://a b".into(), ..good() }, "issuer must be"),
        (OidcProviderConfig { issuer: "http://ci.example.com".into(), ..good() }, "must start with https://"),
        (OidcProviderConfig { issuer: "ci".into(), ..good() }, "is not a URL"),
        (OidcProviderConfig { issuer: "https://ci.example.com/?a=b".into(), ..good() }, "a query or a fragment"),
        (OidcProviderConfig { issuer: "https://u:p@ci.example.com".into(), ..good() }, "user name or password"),
        (OidcProviderConfig { client_ids: Vec::new(), ..good() }, "client_ids must have"),
        (OidcProviderConfig { client_ids: vec![String::new()], ..good() }, "the client id \"\""),
        (OidcProviderConfig { jwks_uri: Some("http://ci.example.com/keys".into()), ..good() }, "jwks_uri must start"),
        (
            OidcProviderConfig {
                jwks_uri: Some("https://ci.example.com/keys".into()),
                jwks_file: file("unused", "{}"),
                ..good()
            },
            "not both",
        ),
        (OidcProviderConfig { jwks_file: Some(dir.path().join("absent")), ..good() }, "jwks_file"),
        (OidcProviderConfig { jwks_file: file("text", "keys"), ..good() }, "not a JSON object with an array `keys`"),
        (OidcProviderConfig { jwks_file: file("empty", "{\"keys\":[]}"), ..good() }, "no key that can check"),
        (OidcProviderConfig { jwks_file: file("large", &" ".repeat(300 * 1024)), ..good() }, "longer than"),
        (OidcProviderConfig { ca_file: Some(dir.path().join("absent")), ..good() }, "ca_file"),
        (OidcProviderConfig { ca_file: file("ca", "no certificate"), ..good() }, "no certificate in it"),
        (
            OidcProviderConfig { jwks_file: file("keys", "{\"keys\":[]}"), allow_private: true, ..good() },
            "have no meaning with jwks_file",
        ),
    ];
    for (config, expected) in cases {
        let message = refusal(config);
        assert!(message.contains(expected) && message.contains("oidc_provider"), "{expected}: {message}");
        assert!(!message.contains(char::is_control), "{message}");
    }
    let twice = Verifier::from_config(&[good(), good()]).err().unwrap().to_string();
    assert!(twice.contains("acs:ram::1234567890123456:oidc-provider/ci is there twice"), "{twice}");
}
