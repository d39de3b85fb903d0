//! Identity providers: a token that a CI system has signed becomes a session of a role.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jomae_crypto::asym::{AsymSpec, PrivateKey, SignAlg};
use jomae_tests::{
    Server, Site,
    party::{Line, Party},
    wire::{Answer, Wire},
};
use serde_json::{Value, json};

const ISSUER: &str = "https://ci.example.com";

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// The key of a CI system.
struct Issuer(PrivateKey);

impl Issuer {
    fn new() -> Self {
        Self(PrivateKey::generate(AsymSpec::Ed25519).unwrap())
    }

    fn key_set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.ed25519_public().unwrap());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": x }] }).to_string()
    }

    fn token(&self, subject: &str, expires: i64) -> String {
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let claims = json!({ "iss": ISSUER, "aud": ["sts.aliyuncs.com"], "sub": subject, "exp": expires });
        let message = format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": "k1" })), part(claims));
        let signature = self.0.sign(SignAlg::Ed25519, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// An unsigned call, as SDKs send it.
fn assume(server: &Server, account: &str, role: &str, token: &str) -> Answer {
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

fn provider(account: &str, more: &str) -> String {
    format!(
        "[[oidc_provider]]\naccount = \"{account}\"\nname = \"ci\"\nissuer = \"{ISSUER}\"\n\
         client_ids = [\"sts.aliyuncs.com\"]\n{more}\n"
    )
}

#[test]
fn a_token_of_a_provider_becomes_a_session() {
    let site = Site::default();
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let mut server = site.start();
    let (mut line, root) = (Line::new(&server), Party::root(&server));
    let account = line.ok(&root, "GetCallerIdentity", &[])["AccountId"].as_str().unwrap().to_owned();
    let key = line.ok(&root, "CreateKey", &[])["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let trust = json!({ "Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Federated": format!("acs:ram::{account}:oidc-provider/ci") },
        "Condition": { "StringLike": { "oidc:sub": "repo:acme/app:*" } },
    }] });
    line.ok(&root, "CreateRole", &[("RoleName", "deployer"), ("AssumeRolePolicyDocument", &trust.to_string())]);
    let policy = [("PolicyType", "System"), ("PolicyName", "AliyunKMSCryptoUserAccess"), ("RoleName", "deployer")];
    line.ok(&root, "AttachPolicyToRole", &policy);
    let token = issuer.token("repo:acme/app:main", now() + 300);
    let unknown = assume(&server, &account, "deployer", &token);
    assert_eq!((unknown.status, unknown.code().as_str()), (401, "AuthenticationFail.NoPermission"));
    assert_eq!(server.stop(), Some(0));

    let keys = site.write("keys.json", issuer.key_set());
    let server = site.launch().config(&provider(&account, &format!("jwks_file = {keys:?}"))).start();
    let answer = assume(&server, &account, "deployer", &token);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let session = Party::of_credentials(&answer.json());
    let mut line = Line::new(&server);
    let plaintext = STANDARD.encode("hello");
    line.ok(&session, "Encrypt", &[("KeyId", &key), ("Plaintext", &plaintext)]);
    assert_eq!(line.outcome(&session, "CreateKey", &[]), "403 Forbidden.NoPermission");

    for (role, token, expected) in [
        ("deployer", other.token("repo:acme/app:main", now() + 300), "AuthenticationFail.OIDCToken.InvalidSignature"),
        ("deployer", issuer.token("repo:acme/app:main", now() - 1), "AuthenticationFail.OIDCToken.Expired"),
        ("deployer", "no.token.".to_owned(), "AuthenticationFail.OIDCToken.Invalid"),
        ("deployer", issuer.token("repo:acme/other:main", now() + 300), "NoPermission"),
        ("nobody", token, "EntityNotExist.Role"),
    ] {
        assert_eq!(assume(&server, &account, role, &token).code(), expected, "{role}");
    }
}

#[test]
fn mistakes_are_told_at_the_start() {
    let site = Site::default();
    for (toml, words) in [
        (provider("123", ""), ["oidc_provider", "account"]),
        (provider("1234567890123456", "jwks_file = \"/nowhere/keys.json\""), ["jwks_file", "/nowhere/keys.json"]),
        (provider("1234567890123456", "jwks_uri = \"http://ci.example.com/keys\""), ["jwks_uri", "https://"]),
    ] {
        site.launch().config(&toml).fails().failed(1, &words);
        assert!(!site.data().exists(), "nothing is made before the configuration is right");
    }
}
