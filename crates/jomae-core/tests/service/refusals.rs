//! Every row of the error table: produced here, or not by this crate, and why.

use std::mem::discriminant;

use jomae_api::{
    actions::metadata::KeyState,
    error::{Origin, Refusal},
    sign::client::SignedRequest,
    wire::{Header, Request},
};
use jomae_core::{
    rate::RateLimits,
    service::{Limits, Reply},
};
use jomae_sim::faults::{CommitFault, ReadFault};
use serde_json::Value;

use crate::common::{Credentials, DAY, HELLO, Setup, Subject, World};

enum Origins {
    /// This makes the refusal.
    Here(fn() -> Reply),
    Elsewhere(&'static str),
}
use Origins::{Elsewhere, Here};

fn call(action: &str, params: &[(&str, &str)]) -> Reply {
    World::new().alice().reply(action, params)
}

/// A call on Alice's key in this state.
fn on_key(state: KeyState, action: &str, more: &[(&str, &str)]) -> Reply {
    let world = World::new();
    let subject = Subject::new(&world, state);
    let mut params = subject.params(action);
    params.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    params.extend(more);
    world.alice().reply(action, &params)
}

/// An import this much later, with nonsense in place of one parameter.
fn import(later_secs: i64, nonsense: &str) -> Reply {
    let world = World::new();
    let subject = Subject::of(&world, "ImportKeyMaterial");
    world.advance(later_secs);
    let mut params = subject.params("ImportKeyMaterial");
    params.iter_mut().filter(|(name, _)| *name == nonsense).for_each(|(_, value)| *value = HELLO);
    world.alice().reply("ImportKeyMaterial", &params)
}

/// A call with the newest signature, changed after it was signed.
fn altered(alter: fn(&mut SignedRequest)) -> Reply {
    let world = World::new();
    let mut signed = world.alice().signed("ListKeys", &[], "n");
    alter(&mut signed);
    world.alice().reply_to(&signed, "POST")
}

fn set(signed: &mut SignedRequest, header: &str, value: &str) {
    let slot = signed.headers.iter_mut().find(|(name, _)| *name == header).unwrap();
    value.clone_into(&mut slot.1);
}

/// A v1 request with everything in place, but for one parameter that is replaced, or left out if it is empty.
fn v1(name: &str, value: &str) -> Reply {
    let world = World::new();
    let date = world.timestamp().replace(':', "%3A");
    let all = [
        ("AccessKeyId", world.alice.id.as_str()),
        ("Action", "ListKeys"),
        ("Signature", "x"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "n"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &date),
        ("Version", "2016-01-20"),
    ];
    let pairs = all.map(|(other, usual)| (other, if other == name { value } else { usual }));
    let query: Vec<_> =
        pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")).collect();
    world.get(&query.join("&"))
}

fn raw(method: &str, path: &str, query: &str) -> Reply {
    let headers = [Header { name: "host", value: b"h" }];
    World::new().send(&Request { method, path, query, headers: &headers, body: &[] })
}

fn other_secret() -> Reply {
    let world = World::new();
    let credentials = Credentials { secret: b"x".to_vec(), ..world.alice.clone() };
    world.alice().with(&credentials).reply("ListKeys", &[])
}

fn unknown_access_key() -> Reply {
    let world = World::new();
    let credentials = Credentials { id: "LTAIx".to_owned(), ..world.alice.clone() };
    world.alice().with(&credentials).reply("ListKeys", &[])
}

fn inactive() -> Reply {
    let world = World::new();
    world.set_access_key_active(false);
    world.alice().reply("ListKeys", &[])
}

fn replay() -> Reply {
    let world = World::new();
    let signed = world.alice().signed("ListKeys", &[], "n");
    world.alice().reply_to(&signed, "POST");
    world.alice().reply_to(&signed, "POST")
}

fn late() -> Reply {
    let world = World::new();
    let signed = world.alice().signed("ListKeys", &[], "n");
    world.advance(901);
    world.alice().reply_to(&signed, "POST")
}

/// The second call in a world with room for one.
/// One nonce fills the memory.
fn full_after_one() -> Setup {
    Setup { limits: Limits { nonces_max: 1, ..Limits::default() }, ..Setup::default() }
}

fn second(setup: Setup, action: &str) -> Reply {
    let world = World::with(setup);
    world.alice().reply(action, &[]);
    world.alice().reply(action, &[])
}

fn with_token() -> Reply {
    use jomae_api::sign::client::{SignRequest, SigningKey};
    let world = World::new();
    let request = SignRequest {
        scheme: crate::common::Scheme::Acs3HmacSha256,
        access_key_id: &world.alice.id,
        key: SigningKey::Secret(&world.alice.secret),
        security_token: Some("token"),
        action: "ListKeys",
        version: jomae_api::API_VERSION,
        host: "h",
        method: "POST",
        params: &[],
        form: &[],
        date: &world.timestamp(),
        nonce: "n",
        region: "",
    };
    world.alice().reply_to(&request.sign().unwrap(), "POST")
}

fn other_version() -> Reply {
    use jomae_api::sign::client::{SignRequest, SigningKey};
    let world = World::new();
    let request = SignRequest {
        scheme: crate::common::Scheme::RpcV1HmacSha1,
        access_key_id: &world.alice.id,
        key: SigningKey::Secret(&world.alice.secret),
        security_token: None,
        action: "ListKeys",
        version: "2015-01-01",
        host: "h",
        method: "POST",
        params: &[],
        form: &[],
        date: &world.timestamp(),
        nonce: "n",
        region: "",
    };
    world.alice().reply_to(&request.sign().unwrap(), "POST")
}

fn bobs_key(dry_run: &str) -> Reply {
    let world = World::new();
    let key = world.bob().key(&[]);
    let arn = world.bob().describe(&key)["Arn"].as_str().unwrap().to_owned();
    world.alice().reply("GenerateDataKey", &[("KeyId", &arn), ("DryRun", dry_run)])
}

fn protected() -> Reply {
    let world = World::new();
    let key = world.key();
    world.alice().done("SetDeletionProtection", &[("KeyId", &key), ("EnableDeletionProtection", "true")]);
    world.alice().reply("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")])
}

fn alias_taken() -> Reply {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::Enabled);
    world.alice().reply("CreateAlias", &[("AliasName", &subject.alias), ("KeyId", &subject.key)])
}

fn too_many_tags() -> Reply {
    let tags: Vec<_> = (0..21).map(|n| format!(r#"{{"TagKey":"k{n}"}}"#)).collect();
    call("CreateKey", &[("Tags", &format!("[{}]", tags.join(",")))])
}

fn store_down() -> Reply {
    let world = World::new();
    world.store.faults().script_commits([Some(CommitFault::Unavailable)]);
    world.alice().reply("CreateKey", &[])
}

fn store_down_for_ram() -> Reply {
    let world = World::new();
    world.store.faults().script_commits([Some(CommitFault::Unavailable)]);
    world.alice().reply("CreateUser", &[("UserName", "u")])
}

fn store_damaged() -> Reply {
    let world = World::new();
    world.store.faults().script_reads([None, Some(ReadFault::Damaged)]);
    world.alice().reply("DescribeKey", &[("KeyId", "k")])
}

fn powerless_user() -> Reply {
    let world = World::new();
    let credentials = crate::ram_users::new_user(&world, "u");
    world.alice().with(&credentials).reply("GetUser", &[("UserName", "u")])
}

/// Alice herself assumes a role of hers, with one parameter that is replaced or added.
fn assume(name: &str, value: &str) -> Reply {
    let world = World::new();
    let trust = crate::ram_roles::trust(&format!("acs:ram::{}:root", world.alice.account));
    world.alice().ok("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust)]);
    let role = format!("acs:ram::{}:role/r", world.alice.account);
    let mut params = vec![("RoleArn", role.as_str()), ("RoleSessionName", "session")];
    params.retain(|(other, _)| *other != name);
    params.extend((!name.is_empty()).then_some((name, value)));
    world.alice().reply("AssumeRole", &params)
}

const NO_STS: &str = "temporary credentials are not offered";

/// Exhaustive: a new refusal does not compile until it is told where it comes from.
#[expect(clippy::too_many_lines, reason = "a table")]
fn origin(refusal: Refusal) -> Origins {
    use KeyState as S;
    match refusal {
        Refusal::AccessKeyNotFound => Here(unknown_access_key),
        Refusal::AccessKeyInactive => Here(inactive),
        Refusal::SignatureDoesNotMatch => Here(other_secret),
        Refusal::IncompleteSignature => Here(|| altered(|signed| set(signed, "authorization", "ACS3-HMAC-SHA256 x"))),
        Refusal::NonceUsed => Here(replay),
        Refusal::TimestampExpired => Here(late),
        Refusal::TimestampFormat => Here(|| v1("Timestamp", "2027-01-15T08:00Z")),
        Refusal::TimestampMissing => Here(|| v1("Timestamp", "")),
        Refusal::CommonParameterMissing(_) => Here(|| v1("SignatureNonce", "")),
        Refusal::ActionMissing => Here(|| v1("Action", "")),
        Refusal::ActionNotFound => Here(|| call("NoSuchAction", &[])),
        Refusal::VersionInvalid => Here(other_version),
        Refusal::HttpMethodUnsupported => Here(|| raw("PUT", "/", "")),
        Refusal::SignatureMethodInvalid => Here(|| v1("SignatureMethod", "HMAC-SHA512")),
        Refusal::SignatureVersionInvalid => Here(|| v1("SignatureVersion", "2.0")),
        Refusal::BearerUnsupported => Here(|| altered(|signed| set(signed, "authorization", "Bearer x"))),
        Refusal::SecurityTokenMismatch => Here(with_token),
        Refusal::SecurityTokenMissing | Refusal::SecurityTokenMalformed | Refusal::SecurityTokenExpired => {
            Elsewhere(NO_STS)
        }
        Refusal::NeedTls => Elsewhere("the server's listener knows whether there is TLS"),
        Refusal::UserThrottled => Here(|| {
            let rates = RateLimits { management_per_sec: Some(1), ..RateLimits::default() };
            second(Setup { limits: Limits { rates, ..Limits::default() }, ..Setup::default() }, "ListUsers")
        }),
        Refusal::Throttled => Here(|| second(full_after_one(), "ListUsers")),
        Refusal::RateExceeded => Here(|| second(full_after_one(), "ListKeys")),
        Refusal::GatewayUnavailable => Here(store_down_for_ram),
        Refusal::RequestUnreadable => Here(|| raw("GET", "/", "a=1&a=2")),
        Refusal::RequestTooLarge => Here(|| raw("GET", "/", &"a".repeat(200 * 1024))),
        Refusal::RequestTimeout | Refusal::TooManyConnections | Refusal::TooManyBytes => {
            Elsewhere("the server's connections")
        }
        Refusal::NoPermission => Here(|| bobs_key("false")),
        Refusal::ParameterMissing(_) => Here(|| call("EnableKey", &[])),
        Refusal::ParameterInvalid(_) => Here(|| call("ListKeys", &[("PageSize", "0")])),
        Refusal::AliasUnsupported => Here(|| call("EnableKey", &[("KeyId", "alias/a")])),
        Refusal::ProtectionLevelUnsupported => Here(|| call("CreateKey", &[("ProtectionLevel", "HSM")])),
        Refusal::OriginUnsupported => Here(|| on_key(S::Enabled, "DeleteKeyMaterial", &[])),
        Refusal::OperationUnsupported => {
            Here(|| on_key(S::Enabled, "GenerateMac", &[("Algorithm", "HMAC_SHA_256"), ("Message", "aGk=")]))
        }
        Refusal::KeyVersionNotFound => Here(|| on_key(S::Enabled, "DescribeKeyVersion", &[("KeyVersionId", "none")])),
        Refusal::KeyMaterialInvalid => Here(|| import(0, "EncryptedKeyMaterial")),
        Refusal::ImportTokenInvalid => Here(|| import(0, "ImportToken")),
        Refusal::ImportTokenExpired => Here(|| import(DAY, "")),
        Refusal::NotOperator => Here(|| World::new().bob().reply("DescribeServer", &[])),
        Refusal::ServiceOpened => Here(|| call("OpenKmsService", &[])),
        Refusal::AliasExists => Here(alias_taken),
        Refusal::LimitExceeded => Here(too_many_tags),
        Refusal::CiphertextInvalid => Here(|| on_key(S::Enabled, "Decrypt", &[("EncryptionContext", r#"{"a":"b"}"#)])),
        Refusal::KeyNotFound => Here(|| call("EnableKey", &[("KeyId", "none")])),
        Refusal::AliasNotFound => Here(|| call("DescribeKey", &[("KeyId", "alias/none")])),
        Refusal::Disabled => Here(|| on_key(S::Disabled, "Encrypt", &[])),
        Refusal::PendingDeletion => Here(|| on_key(S::PendingDeletion, "Encrypt", &[])),
        Refusal::PendingImport => Here(|| on_key(S::PendingImport, "Encrypt", &[])),
        Refusal::StateModifiedFailed => Here(|| on_key(S::Enabled, "CancelKeyDeletion", &[])),
        Refusal::DeletionProtected => Here(protected),
        Refusal::DiagnosticMessageNotFound => {
            Here(|| call("DecodeDiagnosticMessage", &[("EncodedDiagnosticMessage", "AQ==")]))
        }
        Refusal::DiagnosticMessageExpired => Elsewhere("the tests of what a denied caller is told"),
        Refusal::DryRunWouldSucceed => Here(|| on_key(S::Enabled, "Encrypt", &[("DryRun", "true")])),
        Refusal::DryRunInvalid => {
            Here(|| call("Encrypt", &[("KeyId", "k"), ("Plaintext", "aGk ="), ("DryRun", "true")]))
        }
        Refusal::DryRunDenied => Here(|| bobs_key("true")),
        Refusal::PolicyNotFound
        | Refusal::PolicyNameChars
        | Refusal::PolicyNameLength
        | Refusal::PolicyTypeInvalid
        | Refusal::MalformedPolicyDocument(_)
        | Refusal::PolicyDocumentLength
        | Refusal::PolicyCost(_)
        | Refusal::RamDescriptionLength
        | Refusal::PolicyExists
        | Refusal::PolicyVersionFormat
        | Refusal::PolicyVersionNotFound
        | Refusal::PolicyVersionIsDefault
        | Refusal::PolicyHasVersions
        | Refusal::PolicyVersionsLimit
        | Refusal::PoliciesLimit
        | Refusal::UserPolicyExists
        | Refusal::GroupPolicyExists
        | Refusal::RolePolicyExists
        | Refusal::UserPolicyNotFound
        | Refusal::GroupPolicyNotFound
        | Refusal::RolePolicyNotFound
        | Refusal::PolicyHasUser
        | Refusal::PolicyHasGroup
        | Refusal::PolicyHasRole
        | Refusal::UserPoliciesLimit
        | Refusal::GroupPoliciesLimit
        | Refusal::RolePoliciesLimit
        | Refusal::RoleNotFound
        | Refusal::RoleNameChars
        | Refusal::RoleNameLength
        | Refusal::RoleExists
        | Refusal::RoleHasPolicies
        | Refusal::RolesLimit => super::ram_refusals::make(refusal).map_or(Elsewhere(""), Here),
        Refusal::UserNameChars
        | Refusal::UserNameLength
        | Refusal::NewUserNameChars
        | Refusal::NewUserNameLength
        | Refusal::DisplayNameChars
        | Refusal::DisplayNameLength
        | Refusal::NewDisplayNameChars
        | Refusal::NewDisplayNameLength
        | Refusal::GroupNameChars
        | Refusal::GroupNameLength
        | Refusal::NewGroupNameChars
        | Refusal::NewGroupNameLength
        | Refusal::MobilePhoneFormat
        | Refusal::NewMobilePhoneFormat
        | Refusal::EmailFormat
        | Refusal::NewEmailFormat
        | Refusal::CommentsLength
        | Refusal::NewCommentsLength
        | Refusal::UserNotFound
        | Refusal::GroupNotFound
        | Refusal::UserAccessKeyNotFound
        | Refusal::UserNotInGroup
        | Refusal::UserExists
        | Refusal::GroupExists
        | Refusal::UserInGroup
        | Refusal::UserHasGroups
        | Refusal::UserHasAccessKeys
        | Refusal::UserHasPolicies
        | Refusal::GroupHasUsers
        | Refusal::GroupHasPolicies
        | Refusal::UserLimit
        | Refusal::GroupLimit
        | Refusal::UserGroupLimit
        | Refusal::UserAccessKeyLimit
        | Refusal::LastRootAccessKey => super::ram_user_refusals::make(refusal).map_or(Elsewhere(""), Here),
        Refusal::PasswordWeak
        | Refusal::OldPasswordIncorrect
        | Refusal::NewPasswordWeak
        | Refusal::NewPasswordUsedBefore
        | Refusal::UsersOnly
        | Refusal::MinimumPasswordLengthRange
        | Refusal::LoginProfileNotFound
        | Refusal::LoginProfileExists
        | Refusal::UserHasLoginProfile
        | Refusal::UserHasMfaDeviceBound
        | Refusal::MfaDeviceNameChars
        | Refusal::MfaDeviceNameLength
        | Refusal::MfaCodeFormat
        | Refusal::MfaCodeIncorrect
        | Refusal::MfaDeviceNotFound
        | Refusal::UserMfaDeviceNotFound
        | Refusal::MfaDeviceExists
        | Refusal::MfaDeviceHasUser
        | Refusal::UserHasMfaDevice
        | Refusal::MfaDeviceIsBound
        | Refusal::MfaDeviceLimit
        | Refusal::PasskeyInvalid
        | Refusal::PasskeyNotFound
        | Refusal::PasskeyExists
        | Refusal::PasskeyLimit => super::ram_login_refusals::make(refusal).map_or(Elsewhere(""), Here),
        Refusal::NotAuthorized => Here(powerless_user),
        Refusal::ArgumentInvalid(_) => Here(|| call("ListUsers", &[("MaxItems", "0")])),
        Refusal::KeyPolicyMalformed(_) => Here(|| on_key(S::Enabled, "SetKeyPolicy", &[("Policy", "{}")])),
        Refusal::KeyPolicyCost(_) => Here(|| {
            let costly = super::policy_cost::key_policy();
            on_key(S::Enabled, "SetKeyPolicy", &[("Policy", &costly)])
        }),
        Refusal::RoleArnInvalid => Here(|| assume("RoleArn", "acs:ram::1:role/r")),
        Refusal::RoleSessionNameInvalid => Here(|| assume("RoleSessionName", "a b")),
        Refusal::DurationSecondsInvalid => Here(|| assume("DurationSeconds", "899")),
        Refusal::PolicyGrammar(_) => Here(|| assume("Policy", "{}")),
        Refusal::PolicySize => Here(|| assume("Policy", &"x".repeat(2049))),
        Refusal::RootMayNotAssume => Here(|| assume("", "")),
        Refusal::OidcProviderNotFound
        | Refusal::OidcTokenInvalid
        | Refusal::OidcTokenExpired
        | Refusal::OidcSignatureInvalid
        | Refusal::OidcIssuerMismatch
        | Refusal::OidcAudienceMismatch => Elsewhere("the tests of OIDC, which have a verifier that says so"),
        Refusal::Unavailable => Here(store_down),
        Refusal::Internal => Here(store_damaged),
    }
}

#[test]
fn every_row_is_produced() {
    for wanted in Refusal::ALL {
        let make = match origin(*wanted) {
            Here(make) => make,
            Elsewhere(why) => {
                assert!(!why.is_empty());
                continue;
            }
        };
        let reply = make();
        let refusal = reply.outcome.refusal.unwrap_or_else(|| panic!("{wanted:?} was a success"));
        assert_eq!(discriminant(&refusal), discriminant(wanted), "{wanted:?}, not {refusal:?}");
        let row = wanted.row();
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, row.status, "{wanted:?}");
        assert_eq!(body["Code"], row.code, "{wanted:?}");
        assert_eq!(body["RequestId"], reply.request_id.as_str(), "{wanted:?}");
        let message = body["Message"].as_str().unwrap();
        if *wanted == Refusal::SignatureDoesNotMatch {
            assert!(message.starts_with(row.message));
        } else {
            assert_eq!(message, refusal.message(), "{wanted:?}");
        }
        match row.origin {
            Origin::Kms => assert_eq!(body["HttpStatus"], row.status, "{wanted:?}"),
            Origin::Gateway => assert!(body.get("HttpStatus").is_none(), "{wanted:?}"),
        }
        let ours = matches!(wanted, Refusal::Unavailable | Refusal::GatewayUnavailable | Refusal::Internal);
        assert_eq!(reply.outcome.fault.is_some(), ours, "{wanted:?}");
    }
}

/// No error tells the caller why we failed.
#[test]
fn faults_stay_inside() {
    for reply in [store_down(), store_damaged()] {
        let body = String::from_utf8(reply.body).unwrap();
        let cause = reply.outcome.fault.unwrap().to_string();
        assert!(cause.contains("by request of a test") && !body.contains("test"), "{body}");
    }
}

#[test]
fn requests_that_are_none() {
    for (method, path) in [("DELETE", "/"), ("get", "/"), ("", "/"), ("GET", "/x"), ("GET", "")] {
        let reply = raw(method, path, "");
        assert!((400..500).contains(&reply.status), "{method} {path}");
    }
    let reply = World::new().service.refuse(Refusal::RequestTimeout);
    assert_eq!((reply.status, reply.outcome.refusal), (408, Some(Refusal::RequestTimeout)));
    assert_eq!(call("Encrypt", &[("KeyId", "k"), ("Plaintext", HELLO)]).status, 404);
}
