//! What a denied caller is told, and to whom the sealed part opens.

use jomae_api::{
    denied::{DecidedBy, NoPermissionType, PrincipalType},
    limits::DIAGNOSTIC_MESSAGE_SECS,
};
use jomae_core::{
    access::diagnosis::{self, Diagnosis},
    error::Disclosed,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{ADDRESS, Client, HELLO, World, allow, document, trust};

/// The body of an answer without what differs from call to call.
fn told(client: Client<'_>, action: &str, params: &[(&str, &str)]) -> Value {
    let mut body: Value = serde_json::from_slice(&client.reply(action, params).body).unwrap();
    body.as_object_mut().unwrap().remove("RequestId");
    body
}

/// The detail of a denial, and its message.
fn detail(client: Client<'_>, action: &str, params: &[(&str, &str)]) -> (Value, String) {
    let mut detail = told(client, action, params)["AccessDeniedDetail"].clone();
    let message = detail.as_object_mut().unwrap().remove("EncodedDiagnosticMessage").unwrap();
    (detail, message.as_str().unwrap().to_owned())
}

fn decoded(client: Client<'_>, message: &str) -> Value {
    client.ok("DecodeDiagnosticMessage", &[("EncodedDiagnosticMessage", message)])["DecodedDiagnosticMessage"].clone()
}

#[test]
fn an_administrator_learns_what_is_missing() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:Encrypt"], "*"));
    let ann = alice.with(&user);
    let id = ann.ok("GetCallerIdentity", &[])["UserId"].clone();
    let (detail, message) = detail(ann, "DescribeKey", &[("KeyId", &key)]);
    let account = world.alice.account.as_str();
    let expected = json!({
        "AuthAction": "kms:DescribeKey", "AuthPrincipalType": "SubUser", "AuthPrincipalDisplayName": id,
        "AuthPrincipalOwnerId": account, "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    });
    assert_eq!(detail, expected);
    ann.refused("DecodeDiagnosticMessage", &[("EncodedDiagnosticMessage", &message)], "403 NoPermission");
    let expected = json!({
        "AuthAction": "kms:DescribeKey", "AuthResource": world.place(&key).arn(),
        "AuthPrincipal": {
            "AuthPrincipalType": "SubUser", "AuthPrincipalOwnerId": account, "AuthPrincipalDisplayName": id,
        },
        "AuthConditions": [
            { "ConditionKey": "acs:CurrentTime", "ConditionValues": [world.timestamp()] },
            { "ConditionKey": "acs:SecureTransport", "ConditionValues": ["true"] },
            { "ConditionKey": "acs:SourceIp", "ConditionValues": [ADDRESS] },
        ],
        "ExplicitDeny": false, "NoPermissionPolicyType": "AccountLevelIdentityBasedPolicy", "MatchedPolicies": [],
    });
    assert_eq!(decoded(alice, &message), expected);
    let helper = alice.user_with("helper", &allow(&["ram:DecodeDiagnosticMessage"], "*"));
    assert_eq!(decoded(alice.with(&helper), &message), expected);
}

#[test]
fn the_policy_that_decided_is_named() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let deny = |principal: Option<&str>| {
        let mut statement = json!({ "Effect": "Deny", "Action": ["kms:Encrypt"], "Resource": ["*"] });
        if let Some(principal) = principal {
            statement["Principal"] = json!({ "RAM": [principal] });
        }
        document(&[statement])
    };
    let encrypt = [("KeyId", key.as_str()), ("Plaintext", HELLO)];
    let user = alice.user_with("ann", &allow(&["kms:*"], "*"));
    let ann = alice.with(&user);
    // By the policy of the key.
    let arn = format!("acs:ram::{}:user/ann", world.alice.account);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &deny(Some(&arn)))]);
    let (of_key, message) = detail(ann, "Encrypt", &encrypt);
    assert_eq!(
        (&of_key["NoPermissionType"], &of_key["PolicyType"]),
        (&json!("ExplicitDeny"), &json!("ResourceBasedPolicy"))
    );
    assert_eq!(decoded(alice, &message)["MatchedPolicies"], json!([]));
    // By a policy of a group.
    let other = world.key();
    let encrypt = [("KeyId", other.as_str()), ("Plaintext", HELLO)];
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    alice.policy("never", &deny(None));
    alice.attach("never", ("Group", "g"));
    alice.done("AddUserToGroup", &[("UserName", "ann"), ("GroupName", "g")]);
    let (of_group, message) = detail(ann, "Encrypt", &encrypt);
    assert_eq!(of_group["PolicyType"], "AccountLevelIdentityBasedPolicy");
    let read = decoded(alice, &message);
    assert_eq!(read["ExplicitDeny"], true);
    let expected = json!([{
        "Effect": "Deny", "PolicyIdentifier": "never", "PolicyType": "Custom", "PolicyVersion": "v1",
        "AttachedEntityType": "RamGroup", "AttachedScope": "Account",
    }]);
    assert_eq!(read["MatchedPolicies"], expected);
    // By the policy of a session, and by the trust policy of a role.
    let trusted = trust(&[&format!("acs:ram::{}:user/carl", world.alice.account)]);
    let role = alice.role_with("worker", &trusted, &allow(&["kms:*"], "*"));
    let carl = alice.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
    let narrow = allow(&["kms:Decrypt"], "*");
    let session = alice.with(&carl).assume(&role, &[("Policy", &narrow)]);
    let (of_session, _) = detail(alice.with(&session), "Encrypt", &encrypt);
    assert_eq!(of_session["PolicyType"], "SessionPolicy");
    assert_eq!(of_session["AuthPrincipalType"], "AssumedRoleUser");
    assert_eq!(of_session["AuthPrincipalDisplayName"], "worker:session");
    let dave = alice.user_with("dave", &allow(&["sts:AssumeRole"], "*"));
    let asked = [("RoleArn", role.as_str()), ("RoleSessionName", "session")];
    assert_eq!(detail(alice.with(&dave), "AssumeRole", &asked).0["PolicyType"], "AssumeRolePolicy");
}

/// Bob asks for what Alice has and for what she has not: the answers differ in the names that he used himself.
#[test]
fn of_another_account_is_told_what_the_caller_knows_anyway() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let bobs = format!("acs:ram::{}:root", world.bob.account);
    let statement = |effect: &str| json!({ "Effect": effect, "Principal": { "RAM": [bobs] }, "Action": ["kms:DescribeKey"], "Resource": ["*"] });
    let denying = world.key();
    alice.done("SetKeyPolicy", &[("KeyId", &denying), ("Policy", &document(&[statement("Deny")]))]);
    alice.done("TagResource", &[("KeyId", &key), ("Tags", r#"[{"TagKey":"a","TagValue":"b"}]"#)]);
    alice.done("CreateAlias", &[("KeyId", &key), ("AliasName", "alias/there")]);
    let tagged = |effect: &str| {
        json!({ "Effect": effect, "Action": ["kms:*"], "Resource": ["*"],
                "Condition": { "StringEquals": { "kms:tag/a": ["b"] } } })
    };
    let all = json!({ "Effect": "Allow", "Action": ["kms:*", "sts:AssumeRole"], "Resource": ["*"] });
    let users = [
        bob.user("nothing"),
        bob.user_with("all", &document(std::slice::from_ref(&all))),
        bob.user_with("tagged", &document(&[tagged("Allow")])),
        bob.user_with("not-tagged", &document(&[all, tagged("Deny")])),
    ];
    let arn = world.place(&key).arn();
    let absent = arn.replace(&key, "05754286-3ba2-4fa6-8d41-4323aca6e5fd");
    let alias = |name: &str| arn.replace(&format!("key/{key}"), &format!("alias/{name}"));
    let role =
        alice.role_with("r", &trust(&[&format!("acs:ram::{}:root", world.alice.account)]), &allow(&["kms:*"], "*"));
    let callers = users.iter().map(|user| bob.with(user)).chain([bob]);
    for caller in callers {
        let ask = |params: &[(&str, &str)], action: &str| {
            let mut body = told(caller, action, params);
            let detail = body["AccessDeniedDetail"].as_object_mut().unwrap();
            let message = detail.remove("EncodedDiagnosticMessage").unwrap();
            let message = message.as_str().unwrap();
            (body, message.len(), decoded(bob, message))
        };
        let same = |action: &str, name: &str, asked: [&str; 2], more: &[(&str, &str)]| {
            let answers = asked.map(|named| {
                let (body, length, mut read) = ask(&[&[(name, named)], more].concat(), action);
                assert_eq!(read["AuthResource"], named);
                read["AuthResource"] = json!(null);
                (body, length - named.len().div_ceil(3) * 4, read)
            });
            let [there, absent] = answers;
            assert_eq!((&there.0, &there.2), (&absent.0, &absent.2), "{action} {asked:?}");
        };
        same("DescribeKey", "KeyId", [&arn, &absent], &[]);
        same("DescribeKey", "KeyId", [&world.place(&denying).arn(), &absent], &[]);
        same("DescribeKey", "KeyId", [&alias("there"), &alias("absent")], &[]);
        if !caller.credentials.id.eq(&bob.credentials.id) {
            let session = [("RoleSessionName", "session")];
            same("AssumeRole", "RoleArn", [&role, &role.replace("role/r", "role/q")], &session);
        }
    }
}

#[test]
fn a_message_opens_for_its_account_and_for_a_day() {
    const ABSENT: &str = "404 EntityNotExist";
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let user = alice.user("ann");
    let (_, message) = detail(alice.with(&user), "DescribeKey", &[("KeyId", &key)]);
    let open = |client: Client<'_>, message: &str, expected: &str| {
        client.refused("DecodeDiagnosticMessage", &[("EncodedDiagnosticMessage", message)], expected);
    };
    open(bob, &message, ABSENT);
    for other in ["AQ==", "no Base64", &message[4..], &message.replacen('A', "B", 1)] {
        open(alice, other, ABSENT);
    }
    open(alice, &"A".repeat(4097), "400 InvalidParameter");
    alice.refused("DecodeDiagnosticMessage", &[], ABSENT);
    world.advance(DIAGNOSTIC_MESSAGE_SECS);
    decoded(alice, &message);
    world.advance(1);
    open(alice, &message, "400 EncodedMessageExpire");
    // The audit log does not hold it.
    assert!(!world.audit.text().contains(&message[40..80]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn what_was_sealed_reads_back_and_nothing_else_is_read(
        (permission, principal_name, resource, bytes) in
            (".{0,40}", ".{0,100}", ".{0,300}", prop::collection::vec(any::<u8>(), 0..300)),
    ) {
        let disclosed =
            Disclosed { resource, how: NoPermissionType::Implicit, by: DecidedBy::Trust, policy: None };
        let diagnosis = Diagnosis {
            permission, principal_name, disclosed, principal_type: PrincipalType::User,
            source_ip: String::new(), decided: 5,
        };
        let plain = postcard::to_allocvec(&diagnosis).unwrap();
        prop_assert_eq!(diagnosis::read(&plain), Some(diagnosis));
        prop_assert_eq!(diagnosis::read(&plain[..plain.len() - 1]), None);
        // Whatever the bytes are, no more than they are is held.
        let _ = diagnosis::read(&bytes);
    }
}
