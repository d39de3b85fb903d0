//! A provider of identities, and the calls that show its tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_crypto::asym::{AsymSpec, PrivateKey, SignAlg};
use serde_json::{Value, json};

use crate::{
    Server,
    wire::{Answer, Wire},
};

pub const ISSUER: &str = "https://ci.example.com";

/// A CI system that signs tokens.
pub struct Issuer(PrivateKey);

impl Default for Issuer {
    fn default() -> Self {
        Self(PrivateKey::generate(AsymSpec::Ed25519).expect("a key"))
    }
}

impl Issuer {
    /// The public key as a set of keys (RFC 7517).
    pub fn key_set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.ed25519_public().expect("an Ed25519 key"));
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": x }] }).to_string()
    }

    /// A token that expires at a time in Unix seconds.
    pub fn token(&self, subject: &str, expires: i64) -> String {
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let claims = json!({ "iss": ISSUER, "aud": ["sts.aliyuncs.com"], "sub": subject, "exp": expires });
        let message = format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": "k1" })), part(claims));
        let signature = self.0.sign(SignAlg::Ed25519, message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The configuration of the provider `ci` of an account, with further lines.
pub fn provider(account: &str, more: &str) -> String {
    format!(
        "[[oidc_provider]]\naccount = \"{account}\"\nname = \"ci\"\nissuer = \"{ISSUER}\"\n\
         client_ids = [\"sts.aliyuncs.com\"]\n{more}\n"
    )
}

/// The trust policy of a role that sessions of `repo:acme/app` may assume.
pub fn trust(account: &str) -> String {
    json!({ "Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Federated": format!("acs:ram::{account}:oidc-provider/ci") },
        "Condition": { "StringLike": { "oidc:sub": "repo:acme/app:*" } },
    }] })
    .to_string()
}

/// An unsigned `AssumeRoleWithOIDC`, as SDKs send it.
pub fn assume(server: &Server, account: &str, role: &str, token: &str) -> Answer {
    let form = format!(
        "OIDCProviderArn=acs%3Aram%3A%3A{account}%3Aoidc-provider%2Fci&RoleArn=acs%3Aram%3A%3A{account}%3Arole%2F{role}\
         &OIDCToken={token}&RoleSessionName=build-7"
    );
    let head = format!(
        "POST /?Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    Wire::tls(server).ask(head + &form)
}
