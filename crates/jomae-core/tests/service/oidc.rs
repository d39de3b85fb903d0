//! AssumeRoleWithOIDC: a token instead of a signature, and what the session may then do.

use std::sync::Arc;

use jomae_api::{
    names::AccountId,
    time::Timestamp,
    wire::{Header, Request},
};
use jomae_core::{
    oidc::{Claims, OidcError, Provider, TokenVerifier},
    service::Reply,
    store::BoxFuture,
};
use serde_json::{Value, json};

use crate::common::{Credentials, HANGZHOU, HELLO, START, World};

const ISSUER: &str = "https://ci.example.com";
const STS: &str = "2015-04-01";

/// Knows one provider. A token is its subject, or the word for an error.
struct Fake(Provider);

impl TokenVerifier for Fake {
    fn provider(&self, arn: &str) -> Option<&Provider> {
        Some(&self.0).filter(|provider| provider.arn() == arn)
    }

    fn verify<'a>(
        &'a self,
        provider: &'a Provider,
        token: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Claims, OidcError>> {
        let result = match token {
            "malformed" => Err(OidcError::TokenMalformed),
            "expired" => Err(OidcError::TokenExpired),
            "early" => Err(OidcError::TokenNotYetValid),
            "issuer" => Err(OidcError::IssuerMismatch),
            "audience" => Err(OidcError::AudienceMismatch),
            "signature" => Err(OidcError::SignatureInvalid),
            "unavailable" => Err(OidcError::KeysUnavailable("HTTP 503".to_owned())),
            subject => Ok(Claims {
                nonce: None,
                authorized_party: None,
                issuer: provider.issuer.clone(),
                audience: vec!["other".to_owned(), "sts.aliyuncs.com".to_owned()],
                client_id: "sts.aliyuncs.com".to_owned(),
                subject: subject.to_owned(),
                expires: Timestamp(now.0 + 300),
                issued: Some(Timestamp(now.0 - 5)),
            }),
        };
        Box::pin(std::future::ready(result))
    }
}

/// Alice's account trusts a provider, and has a role `deployer` for one subject that may use a key of hers.
struct Site {
    world: World,
    key: String,
}

fn trust(subject: &str, provider: &str) -> String {
    json!({ "Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Federated": [provider] },
        "Condition": { "StringEquals": {
            "oidc:iss": ISSUER, "oidc:aud": "sts.aliyuncs.com", "oidc:sub": format!("repo:{subject}"),
        } },
    }] })
    .to_string()
}

impl Site {
    fn new() -> Self {
        let mut world = World::new();
        world.service.oidc = Arc::new(Fake(Provider {
            account: world.alice.account.clone(),
            name: "ci".to_owned(),
            issuer: ISSUER.to_owned(),
            client_ids: vec!["sts.aliyuncs.com".to_owned()],
        }));
        let key = world.key();
        let site = Self { world, key };
        let trust = trust("acme/app", &site.provider());
        let alice = site.world.alice();
        alice.ok("CreateRole", &[("RoleName", "deployer"), ("AssumeRolePolicyDocument", &trust)]);
        let rights = json!({ "Version": "1", "Statement": [
            { "Effect": "Allow", "Action": ["kms:Encrypt", "kms:DescribeKey"], "Resource": "*" },
        ] });
        alice.ok("CreatePolicy", &[("PolicyName", "use"), ("PolicyDocument", &rights.to_string())]);
        let attached = [("PolicyType", "Custom"), ("PolicyName", "use"), ("RoleName", "deployer")];
        alice.ok("AttachPolicyToRole", &attached);
        site
    }

    fn provider(&self) -> String {
        provider_of(&self.world.alice.account)
    }

    fn role(&self) -> String {
        format!("acs:ram::{}:role/deployer", self.world.alice.account)
    }

    /// The usual parameters, with some in the place of others; an empty value leaves one out.
    fn params<'p>(&self, changed: &[(&'p str, &'p str)]) -> Vec<(String, String)> {
        let mut params = vec![
            ("Action".to_owned(), "AssumeRoleWithOIDC".to_owned()),
            ("Version".to_owned(), STS.to_owned()),
            ("Format".to_owned(), "JSON".to_owned()),
            ("OIDCProviderArn".to_owned(), self.provider()),
            ("RoleArn".to_owned(), self.role()),
            ("OIDCToken".to_owned(), "repo:acme/app".to_owned()),
            ("RoleSessionName".to_owned(), "build-7".to_owned()),
        ];
        for (name, value) in changed {
            params.retain(|(given, _)| given != name);
            params.push(((*name).to_owned(), (*value).to_owned()));
        }
        params.retain(|(_, value)| !value.is_empty());
        params
    }

    /// An unsigned call.
    fn ask(&self, changed: &[(&str, &str)]) -> Reply {
        self.world.get(&encoded(&self.params(changed)))
    }

    #[track_caller]
    fn answer(&self, changed: &[(&str, &str)]) -> Value {
        let reply = self.ask(changed);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 200, "{body}");
        body
    }

    #[track_caller]
    fn refused(&self, changed: &[(&str, &str)], expected: &str) {
        let reply = self.ask(changed);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(format!("{} {}", reply.status, body["Code"].as_str().unwrap()), expected, "{changed:?}: {body}");
    }

    fn session(&self, changed: &[(&str, &str)]) -> Credentials {
        let answer = self.answer(changed);
        let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
        Credentials {
            account: self.world.alice.account.clone(),
            id: text("AccessKeyId"),
            secret: text("AccessKeySecret").into_bytes(),
            token: Some(text("SecurityToken")),
        }
    }
}

fn provider_of(account: &AccountId) -> String {
    format!("acs:ram::{account}:oidc-provider/ci")
}

fn encoded(params: &[(String, String)]) -> String {
    let escaped = |text: &str| {
        let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
        text.bytes().map(byte).collect::<String>()
    };
    let pair = |(name, value): &(String, String)| format!("{name}={}", escaped(value));
    params.iter().map(pair).collect::<Vec<_>>().join("&")
}

#[test]
fn a_token_gives_a_session() {
    let site = Site::new();
    let answer = site.answer(&[]);
    let role_id = site.world.alice().ok("GetRole", &[("RoleName", "deployer")])["Role"]["RoleId"].clone();
    assert_eq!(
        answer["OIDCTokenInfo"],
        json!({
            "Subject": "repo:acme/app", "Issuer": ISSUER, "ClientIds": "other,sts.aliyuncs.com",
            "ExpirationTime": "2027-01-15T08:05:00Z", "IssuanceTime": "2027-01-15T07:59:55Z",
        })
    );
    let user = json!({
        "Arn": format!("{}/build-7", site.role()), "AssumedRoleId": format!("{}:build-7", role_id.as_str().unwrap()),
    });
    assert_eq!(answer["AssumedRoleUser"], user);
    assert_eq!(answer["Credentials"]["Expiration"], "2027-01-15T09:00:00Z");
    assert_eq!(site.world.now(), START);

    let session = site.session(&[("DurationSeconds", "900")]);
    let client = site.world.alice().with(&session);
    let encrypt = [("KeyId", site.key.as_str()), ("Plaintext", HELLO)];
    client.ok("Encrypt", &encrypt);
    client.refused("CreateKey", &[], "403 Forbidden.NoPermission");
    assert_eq!(client.ok("GetCallerIdentity", &[])["IdentityType"], "AssumedRoleUser");
    site.world.advance(900);
    client.refused("Encrypt", &encrypt, "400 InvalidSecurityToken.Expired");
}

#[test]
fn as_the_sdks_send_it() {
    let site = Site::new();
    let send = |query: &str, headers: &[(&str, &str)], body: &str| {
        let mut sent = vec![Header { name: "host", value: HANGZHOU.as_bytes() }];
        sent.push(Header { name: "content-type", value: b"application/x-www-form-urlencoded" });
        sent.extend(headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
        let request = Request { method: "POST", path: "/", query, headers: &sent, body: body.as_bytes() };
        let reply = site.world.send(&request);
        (reply.status, String::from_utf8(reply.body).unwrap())
    };
    // The credentials libraries: names of the call in the query, the rest in a form.
    let (common, own): (Vec<_>, Vec<_>) =
        site.params(&[]).into_iter().partition(|(name, _)| ["Action", "Version", "Format"].contains(&name.as_str()));
    let query = format!("{}&Timestamp=2027-01-15T08%3A00%3A00Z&SignatureNonce=n", encoded(&common));
    assert_eq!(send(&query, &[], &encoded(&own)).0, 200);
    // The newer SDK of STS: names in headers, and no Authorization.
    let headers = [("x-acs-action", "AssumeRoleWithOIDC"), ("x-acs-version", STS), ("x-acs-signature-nonce", "n")];
    assert_eq!(send("", &headers, &encoded(&own)).0, 200);
    // XML, for who asks for it.
    let (status, xml) = send(&encoded(&site.params(&[("Format", "XML")])), &[], "");
    assert_eq!(status, 200);
    assert!(xml.contains("<AssumeRoleWithOIDCResponse>") && xml.contains("<OIDCTokenInfo><Subject>"), "{xml}");
}

#[test]
fn the_trust_policy_decides() {
    let site = Site::new();
    for token in ["repo:acme/other", "repo:acme/app2", "REPO:acme/app", "malicious"] {
        site.refused(&[("OIDCToken", token)], "403 NoPermission");
    }
    let alice = site.world.alice();
    let change = |policy: &str| {
        alice.ok("UpdateRole", &[("RoleName", "deployer"), ("NewAssumeRolePolicyDocument", policy)]);
    };
    // Another provider of the account, one of the same name in another account, or no provider at all.
    let other = format!("acs:ram::{}:oidc-provider/other", site.world.alice.account);
    change(&trust("acme/app", &other));
    site.refused(&[], "403 NoPermission");
    change(&trust("acme/app", &provider_of(&site.world.bob.account)));
    site.refused(&[], "403 NoPermission");
    let root = json!({ "Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "RAM": format!("acs:ram::{}:root", site.world.alice.account) },
    }] });
    change(&root.to_string());
    site.refused(&[], "403 NoPermission");
    // Either name of the action will do, and a deny in either wins.
    let allow = trust("acme/app", &site.provider());
    change(&allow.replace("sts:AssumeRole", "sts:AssumeRoleWithOIDC"));
    site.answer(&[]);
    for denied in ["sts:AssumeRole", "sts:AssumeRoleWithOIDC"] {
        let mut policy: Value = serde_json::from_str(&allow).unwrap();
        let deny = json!({ "Effect": "Deny", "Action": denied, "Principal": { "Federated": site.provider() } });
        policy["Statement"].as_array_mut().unwrap().push(deny);
        change(&policy.to_string());
        site.refused(&[], "403 NoPermission");
    }
    change(&allow);
    site.answer(&[]);
}

#[test]
fn what_is_taken_away_is_gone_at_once() {
    let site = Site::new();
    let session = site.session(&[]);
    let client = site.world.alice().with(&session);
    let describe = [("KeyId", site.key.as_str())];
    client.ok("DescribeKey", &describe);
    let alice = site.world.alice();
    let trust = trust("acme/next", &site.provider());
    alice.ok("UpdateRole", &[("RoleName", "deployer"), ("NewAssumeRolePolicyDocument", &trust)]);
    client.refused("DescribeKey", &describe, "403 Forbidden.NoPermission");
    let next = site.session(&[("OIDCToken", "repo:acme/next")]);
    let client = site.world.alice().with(&next);
    client.ok("DescribeKey", &describe);
    alice.ok("DetachPolicyFromRole", &[("PolicyType", "Custom"), ("PolicyName", "use"), ("RoleName", "deployer")]);
    client.refused("DescribeKey", &describe, "403 Forbidden.NoPermission");
}

#[test]
fn roles_that_are_not_there() {
    let site = Site::new();
    let account = &site.world.alice.account;
    // Whoever gets tokens from the issuer is not told which roles there are.
    let there = trust("acme/other", &site.provider());
    site.world.alice().ok("CreateRole", &[("RoleName", "other"), ("AssumeRolePolicyDocument", &there)]);
    let asked = |name: &str| {
        let reply = site.ask(&[("RoleArn", &format!("acs:ram::{account}:role/{name}"))]);
        assert_eq!(reply.outcome.refusal.map(|refusal| refusal.code()), Some("NoPermission"), "{name}");
        String::from_utf8(reply.body).unwrap().replace(&reply.request_id, "")
    };
    assert_eq!(asked("nobody"), asked("other"));
    // Nor of another account.
    let foreign = format!("acs:ram::{}:role/nobody", site.world.bob.account);
    site.refused(&[("RoleArn", &foreign)], "403 NoPermission");
    site.refused(&[("RoleArn", "deployer")], "400 InvalidParameter.RoleArn");
}

/// `ExternalId` is a parameter of AssumeRole alone, where it is looked at before it is used.
#[test]
fn an_external_id_is_none_of_it() {
    let site = Site::new();
    let named = trust("acme/app", &site.provider());
    let with_id = named.replace("\"oidc:iss\"", "\"sts:ExternalId\":\"from-afar\",\"oidc:iss\"");
    let role = [("RoleName", "deployer"), ("NewAssumeRolePolicyDocument", with_id.as_str())];
    site.world.alice().ok("UpdateRole", &role);
    site.refused(&[("ExternalId", "from-afar")], "403 NoPermission");
    site.world.alice().ok("UpdateRole", &[role[0], ("NewAssumeRolePolicyDocument", &named)]);
    let session = site.session(&[("ExternalId", &"x".repeat(20_000))]);
    site.world.alice().with(&session).ok("DescribeKey", &[("KeyId", site.key.as_str())]);
}

#[test]
fn another_account_can_trust_the_provider() {
    let site = Site::new();
    let bob = site.world.bob();
    let role = format!("acs:ram::{}:role/guest", site.world.bob.account);
    bob.ok(
        "CreateRole",
        &[
            ("RoleName", "guest"),
            ("AssumeRolePolicyDocument", &trust("acme/app", &provider_of(&site.world.bob.account))),
        ],
    );
    site.refused(&[("RoleArn", &role)], "403 NoPermission");
    let trust = trust("acme/app", &site.provider());
    bob.ok("UpdateRole", &[("RoleName", "guest"), ("NewAssumeRolePolicyDocument", &trust)]);
    let answer = site.answer(&[("RoleArn", &role)]);
    assert_eq!(answer["AssumedRoleUser"]["Arn"], format!("{role}/build-7"));
}

#[test]
fn tokens_that_are_refused() {
    let site = Site::new();
    for (token, expected) in [
        ("malformed", "401 AuthenticationFail.OIDCToken.Invalid"),
        ("early", "401 AuthenticationFail.OIDCToken.Invalid"),
        ("expired", "401 AuthenticationFail.OIDCToken.Expired"),
        ("issuer", "401 AuthenticationFail.OIDCToken.IssuerNotMatch"),
        ("audience", "401 AuthenticationFail.OIDCToken.AudienceNotMatch"),
        ("signature", "401 AuthenticationFail.OIDCToken.InvalidSignature"),
        ("unavailable", "503 ServiceUnavailable"),
    ] {
        site.refused(&[("OIDCToken", token)], expected);
    }
    let unknown = format!("acs:ram::{}:oidc-provider/other", site.world.alice.account);
    site.refused(&[("OIDCProviderArn", &unknown)], "401 AuthenticationFail.NoPermission");
    site.refused(&[("OIDCProviderArn", &provider_of(&site.world.bob.account))], "401 AuthenticationFail.NoPermission");
    // The cause is the operator's alone.
    let reply = site.ask(&[("OIDCToken", "unavailable")]);
    assert!(!String::from_utf8(reply.body).unwrap().contains("HTTP 503"));
    assert!(reply.outcome.fault.unwrap().to_string().contains("HTTP 503"));
}

#[test]
fn parameters_that_are_refused() {
    let site = Site::new();
    for name in ["OIDCProviderArn", "OIDCToken", "RoleArn", "RoleSessionName"] {
        site.refused(&[(name, "")], "400 MissingParameter");
    }
    site.refused(&[("OIDCToken", "abc")], "400 InvalidParameter");
    site.refused(&[("OIDCToken", &"t".repeat(20_001))], "400 InvalidParameter");
    site.refused(&[("OIDCProviderArn", "ci")], "400 InvalidParameter");
    site.refused(&[("RoleSessionName", "a b")], "400 InvalidParameter.RoleSessionName");
    for secs in ["899", "3601", "x"] {
        site.refused(&[("DurationSeconds", secs)], "400 InvalidParameter.DurationSeconds");
    }
    site.refused(&[("Policy", "{}")], "400 InvalidParameter.PolicyGrammar");
    site.refused(&[("Policy", &" ".repeat(2049))], "400 InvalidParameter.PolicySize");
}

#[test]
fn a_session_policy_narrows() {
    let site = Site::new();
    let policy = json!({ "Version": "1", "Statement": [
        { "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*" },
        { "Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*" },
    ] });
    let session = site.session(&[("Policy", &policy.to_string())]);
    let client = site.world.alice().with(&session);
    client.ok("DescribeKey", &[("KeyId", &site.key)]);
    client.refused("Encrypt", &[("KeyId", &site.key), ("Plaintext", HELLO)], "403 Forbidden.NoPermission");
    client.refused("CreateKey", &[], "403 Forbidden.NoPermission");
}

#[test]
fn nothing_else_goes_without_a_signature() {
    let site = Site::new();
    let signed = |reply: Reply| {
        let refusal = reply.outcome.refusal.unwrap();
        assert!(reply.outcome.action.is_none(), "it ran: {refusal:?}");
        refusal.code()
    };
    for action in ["AssumeRole", "GetCallerIdentity", "ListUsers", "ListKeys", "assumerolewithoidc", "DescribeRegions"]
    {
        let spec = jomae_api::actions::find(action);
        let version = spec.map_or(STS, |spec| spec.api().version());
        signed(site.ask(&[("Action", action), ("Version", version)]));
    }
    for version in [jomae_api::API_VERSION, "2015-05-01", "2020-07-06", "", "x"] {
        signed(site.ask(&[("Version", version)]));
    }
    // With a signature it is a call by token all the same.
    let params = site.params(&[("OIDCToken", "signature")]);
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let reply = site.world.alice().reply("AssumeRoleWithOIDC", &params[3..]);
    assert_eq!(reply.outcome.refusal.unwrap().code(), "AuthenticationFail.OIDCToken.InvalidSignature");
}

#[test]
fn the_event_names_the_subject_and_not_the_token() {
    let site = Site::new();
    let before = site.world.audit.len();
    site.answer(&[]);
    site.refused(&[("OIDCToken", "repo:acme/other")], "403 NoPermission");
    let events = site.world.audit.events().split_off(before);
    assert_eq!(events.len(), 2);
    for ((event, _), (subject, code)) in
        events.iter().zip([("repo:acme/app", Value::Null), ("repo:acme/other", json!("NoPermission"))])
    {
        assert_eq!(event["eventName"], "AssumeRoleWithOIDC", "{event}");
        assert_eq!(event["userIdentity"]["type"], "oidc-user", "{event}");
        assert_eq!(event["userIdentity"]["userName"], subject, "{event}");
        assert_eq!(event["userIdentity"]["principalId"], site.provider(), "{event}");
        assert_eq!(event["userIdentity"]["accountId"], site.world.alice.account.as_str(), "{event}");
        assert_eq!(event["errorCode"], code, "{event}");
        let parameters = event["requestParameters"].to_string();
        assert!(parameters.contains("build-7"), "{event}");
        assert!(!parameters.contains(subject), "the token stands in {event}");
    }
    // Before the token has proved anything there is no known caller, and no event.
    site.refused(&[("OIDCToken", "signature")], "401 AuthenticationFail.OIDCToken.InvalidSignature");
    assert_eq!(site.world.audit.len(), before + 2);
}

/// Before the work: whoever asks has shown nothing. Another network is asked for its own.
#[test]
fn strangers_of_a_network_have_a_rate() {
    let site = Site::new();
    let refused = |reply: &Reply| reply.outcome.refusal.map(|refusal| refusal.code());
    let mut asked = 0;
    while refused(&site.ask(&[("OIDCToken", "signature")])) == Some("AuthenticationFail.OIDCToken.InvalidSignature") {
        asked += 1;
        assert!(asked < 1000, "no end");
    }
    assert_eq!(asked, 100, "five seconds of twenty");
    let reply = site.ask(&[]);
    assert_eq!((refused(&reply), reply.retry_after_ms), (Some("Throttling"), Some(50)));
    *site.world.source_ip.lock().unwrap() = "203.0.113.77".to_owned();
    assert_eq!(site.ask(&[]).status, 200);
}
