//! Identity providers: a token that a CI system has signed becomes a session of a role.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_tests::{
    Site,
    oidc::{Issuer, assume, provider, trust},
    party::{Line, Party},
};

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[test]
fn a_token_of_a_provider_becomes_a_session() {
    let site = Site::default();
    let (issuer, other) = (Issuer::default(), Issuer::default());
    let mut server = site.start();
    let (mut line, root) = (Line::new(&server), Party::root(&server));
    let account = line.ok(&root, "GetCallerIdentity", &[])["AccountId"].as_str().unwrap().to_owned();
    let key = line.ok(&root, "CreateKey", &[])["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    line.ok(&root, "CreateRole", &[("RoleName", "deployer"), ("AssumeRolePolicyDocument", &trust(&account))]);
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
        ("nobody", token, "NoPermission"),
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
