//! Who may: users, roles and sessions, key policies and other accounts.

use jomae_core::{
    access::rights::at_one_moment,
    ram::record::{GroupRecord, UserRecord, path as ram_path},
    record::{AccessKeyRecord, path},
};
use serde_json::json;

use crate::common::{ADDRESS, Client, HELLO, World, allow, code_of, document, trust};

const DENIED: &str = "403 Forbidden.NoPermission";
const NO_KEY: &str = "404 Forbidden.KeyNotFound";

fn encrypt(client: Client<'_>, key: &str) -> String {
    code_of(&client.call("Encrypt", &[("KeyId", key), ("Plaintext", HELLO)]))
}

fn key_policy(world: &World, key: &str, principal: &str, actions: &[&str]) {
    let policy = document(&[json!({
        "Effect": "Allow", "Principal": { "RAM": [principal] }, "Action": actions, "Resource": ["*"],
    })]);
    world.alice().done("SetKeyPolicy", &[("KeyId", key), ("Policy", &policy)]);
}

#[test]
fn a_user_may_what_its_policies_allow() {
    let world = World::new();
    let (alice, key, other) = (world.alice(), world.key(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:Encrypt"], &world.place(&key).arn()));
    let ann = alice.with(&user);
    assert_eq!(encrypt(ann, &key), "200");
    assert_eq!(encrypt(ann, &other), DENIED, "another key");
    assert_eq!(encrypt(ann, "no-such-key"), DENIED, "absence is told only to who may");
    ann.refused("DescribeKey", &[("KeyId", &key)], DENIED);
    ann.refused("ListUsers", &[], "403 NoPermission");
    // By a group, and taken away again.
    alice.ok("CreateGroup", &[("GroupName", "readers")]);
    alice.attach_system("AliyunKMSReadOnlyAccess", ("Group", "readers"));
    alice.done("AddUserToGroup", &[("UserName", "ann"), ("GroupName", "readers")]);
    ann.ok("DescribeKey", &[("KeyId", &other)]);
    alice.done("RemoveUserFromGroup", &[("UserName", "ann"), ("GroupName", "readers")]);
    ann.refused("DescribeKey", &[("KeyId", &other)], DENIED);
    alice.detach("of-ann", ("User", "ann"));
    assert_eq!(encrypt(ann, &key), DENIED);
}

#[test]
fn a_new_version_of_a_policy_counts_at_once() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:Encrypt"], "*"));
    let ann = alice.with(&user);
    assert_eq!(encrypt(ann, &key), "200");
    let narrower = allow(&["kms:Decrypt"], "*");
    let version = [("PolicyName", "of-ann"), ("PolicyDocument", narrower.as_str()), ("SetAsDefault", "true")];
    alice.ok("CreatePolicyVersion", &version);
    assert_eq!(encrypt(ann, &key), DENIED);
    alice.done("SetDefaultPolicyVersion", &[("PolicyName", "of-ann"), ("VersionId", "v1")]);
    assert_eq!(encrypt(ann, &key), "200");
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:*"], "*"));
    let ann = alice.with(&user);
    alice.policy("never", &document(&[json!({ "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*" })]));
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    alice.done("AddUserToGroup", &[("UserName", "ann"), ("GroupName", "g")]);
    assert_eq!(encrypt(ann, &key), "200");
    alice.attach("never", ("Group", "g"));
    let reply = ann.reply("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
    let denial = reply.outcome.denial.expect("a reason for the operator");
    assert_eq!((denial.permission, denial.resource), ("kms:Encrypt", world.place(&key).arn()));
    assert_eq!(denial.reason, "explicit deny in policy never, statement 1");
    assert!(!String::from_utf8(reply.body).unwrap().contains("never"), "the caller is told nothing of it");
}

#[test]
fn conditions_see_context_tags_and_address() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("Tags", r#"[{"TagKey":"team","TagValue":"orders"}]"#)]);
    let statement = |condition: serde_json::Value| {
        document(&[json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition })])
    };
    let context = |value: &str| json!({ "tenant": value }).to_string();
    for (n, (condition, params, expected)) in [
        (json!({ "StringEquals": { "kms:EncryptionContext/tenant": "a" } }), context("a"), "200"),
        (json!({ "StringEquals": { "kms:EncryptionContext/tenant": "a" } }), context("b"), DENIED),
        (json!({ "StringEquals": { "kms:EncryptionContext/tenant": "a" } }), String::new(), DENIED),
        (json!({ "StringEquals": { "kms:EncryptionContextKeys": "tenant" } }), context("b"), "200"),
        (json!({ "StringEquals": { "kms:tag/team": "orders" } }), String::new(), "200"),
        (json!({ "StringEquals": { "kms:tag/team": "ledger" } }), String::new(), DENIED),
        (json!({ "IpAddress": { "acs:SourceIp": "203.0.113.0/24" } }), String::new(), "200"),
        (json!({ "IpAddress": { "acs:SourceIp": "198.51.100.0/24" } }), String::new(), DENIED),
        (json!({ "Bool": { "acs:SecureTransport": "true" } }), String::new(), "200"),
        (json!({ "DateLessThan": { "acs:CurrentTime": "2027-01-01T00:00:00Z" } }), String::new(), DENIED),
    ]
    .into_iter()
    .enumerate()
    {
        let user = alice.user_with(&format!("user-{n}"), &statement(condition.clone()));
        let mut call = vec![("KeyId", key.as_str()), ("Plaintext", HELLO)];
        if !params.is_empty() {
            call.push(("EncryptionContext", &params));
        }
        assert_eq!(code_of(&alice.with(&user).call("Encrypt", &call)), expected, "{condition} {params}");
    }
}

#[test]
fn re_encrypt_is_asked_for_each_key_with_its_own_context() {
    let world = World::new();
    let (alice, from, to) = (world.alice(), world.key(), world.key());
    let sealed = alice.ok("Encrypt", &[("KeyId", &from), ("Plaintext", HELLO), ("EncryptionContext", r#"{"t":"a"}"#)]);
    let sealed = sealed["CiphertextBlob"].as_str().unwrap();
    let statement = |action: &str, key: &str, value: &str| {
        json!({ "Effect": "Allow", "Action": action, "Resource": world.place(key).arn(),
                "Condition": { "StringEquals": { "kms:EncryptionContext/t": value } } })
    };
    let both = document(&[statement("kms:ReEncryptFrom", &from, "a"), statement("kms:ReEncryptTo", &to, "b")]);
    let user = alice.user_with("mover", &both);
    let mover = alice.with(&user);
    let call = |to: &str, context: &str| {
        let params = [
            ("CiphertextBlob", sealed),
            ("SourceEncryptionContext", r#"{"t":"a"}"#),
            ("DestinationKeyId", to),
            ("DestinationEncryptionContext", context),
        ];
        code_of(&mover.call("ReEncrypt", &params))
    };
    assert_eq!(call(&to, r#"{"t":"b"}"#), "200");
    assert_eq!(call(&to, r#"{"t":"a"}"#), DENIED);
    assert_eq!(call(&from, r#"{"t":"b"}"#), DENIED);
}

#[test]
fn a_key_policy_gives_and_takes_within_the_account() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user("ann");
    let ann = alice.with(&user);
    assert_eq!(encrypt(ann, &key), DENIED, "the default policy leaves all to RAM");
    let account = world.alice.account.as_str();
    key_policy(&world, &key, &format!("acs:ram::{account}:user/ann"), &["kms:Encrypt"]);
    assert_eq!(encrypt(ann, &key), "200");
    ann.refused("DescribeKey", &[("KeyId", &key)], DENIED);
    key_policy(&world, &key, &format!("acs:ram::{account}:*"), &["kms:*"]);
    assert_eq!(encrypt(ann, &key), DENIED, "the account is named, not the user");
    alice.policy("all", &allow(&["kms:*"], "*"));
    alice.attach("all", ("User", "ann"));
    assert_eq!(encrypt(ann, &key), "200");
    let deny = document(&[json!({
        "Effect": "Deny", "Principal": { "RAM": [format!("acs:ram::{account}:user/ann")] },
        "Action": ["kms:Encrypt"], "Resource": ["*"],
    })]);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &deny)]);
    assert_eq!(encrypt(ann, &key), DENIED);
    assert_eq!(encrypt(alice, &key), "200", "the account itself may do everything with what is its own");
}

#[test]
fn another_account_needs_both_sides() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let arn = world.place(&key).arn();
    let sealed = alice.encrypt(&key);
    let decrypt = |client: Client<'_>| code_of(&client.call("Decrypt", &[("CiphertextBlob", &sealed)]));
    let user = bob.user("carl");
    let worker = bob.with(&user);
    assert_eq!([encrypt(bob, &arn), encrypt(worker, &arn)], [DENIED; 2]);
    assert_eq!(decrypt(bob), NO_KEY, "whose ciphertext it is stays hidden");
    assert_eq!(decrypt(worker), DENIED, "as for any ciphertext, he may not decrypt");

    key_policy(&world, &key, &format!("acs:ram::{}:root", world.bob.account), &["kms:*"]);
    assert_eq!([encrypt(bob, &arn), decrypt(bob).as_str().to_owned()], ["200"; 2]);
    assert_eq!(encrypt(worker, &arn), DENIED, "his own account has not let him");
    // The full name of an alias leads to the key, and it is the key that is asked for.
    alice.ok("CreateAlias", &[("AliasName", "alias/shared"), ("KeyId", &key)]);
    let by_alias = arn.replace(&format!("key/{key}"), "alias/shared");
    assert_eq!([encrypt(bob, &by_alias).as_str(), encrypt(worker, &by_alias).as_str()], ["200", DENIED]);
    bob.policy("use", &allow(&["kms:*"], &arn));
    bob.attach("use", ("User", "carl"));
    assert_eq!([encrypt(worker, &arn), encrypt(worker, &by_alias), decrypt(worker)], ["200"; 3]);
    for (action, params) in [
        ("GetKeyPolicy", vec![("KeyId", arn.as_str())]),
        ("SetKeyPolicy", vec![("KeyId", arn.as_str()), ("Policy", "{}")]),
        ("ListKeyVersions", vec![("KeyId", arn.as_str())]),
    ] {
        assert_ne!(code_of(&bob.call(action, &params)), "200", "{action}: others use a key, they do not manage it");
    }
    // The owner sees who used the key; both sides take it away at once.
    let (event, _) = world.audit.events().into_iter().rfind(|(event, _)| event["eventName"] == "Decrypt").unwrap();
    assert_eq!(event["resourceOwnerId"], world.alice.account.as_str());
    assert_eq!(event["userIdentity"]["accountId"], world.bob.account.as_str());
    assert_eq!(event["referencedResources"]["ACS::KMS::Key"][0], key.as_str());
    bob.detach("use", ("User", "carl"));
    assert_eq!(encrypt(worker, &arn), DENIED);
    key_policy(&world, &key, &format!("acs:ram::{}:root", world.alice.account), &["kms:*"]);
    assert_eq!([encrypt(bob, &arn), decrypt(bob)], [DENIED, NO_KEY]);
}

#[test]
fn what_is_hidden_looks_like_what_is_not_there() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let real = alice.encrypt(&key);
    // The same ciphertext under a version that nobody has.
    let version = &alice.describe(&key)["PrimaryKeyVersion"];
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &real).unwrap();
    let fake: Vec<u8> = String::from_utf8_lossy(&bytes[..36])
        .replace(version.as_str().unwrap(), "05754286-3ba2-4fa6-8d41-4323aca6e5fd")
        .into_bytes()
        .into_iter()
        .chain(bytes[36..].iter().copied())
        .collect();
    let fake = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, fake);
    let some = bob.user_with("some", &allow(&["kms:Decrypt"], &format!("acs:kms:*:{}:key/x", world.bob.account)));
    let all = bob.user_with("all", &allow(&["kms:Decrypt"], "*"));
    for who in [bob, bob.with(&some), bob.with(&all)] {
        let [a, b] = [&real, &fake].map(|sealed| code_of(&who.call("Decrypt", &[("CiphertextBlob", sealed)])));
        assert_eq!(a, b);
    }
}

#[test]
fn a_role_is_assumed_by_whom_both_sides_let() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let trusting = trust(&[&format!("acs:ram::{}:root", world.bob.account)]);
    let role = alice.role_with("decryptor", &trusting, &allow(&["kms:Encrypt"], "*"));
    let asked = [("RoleArn", role.as_str()), ("RoleSessionName", "session")];
    bob.refused("AssumeRole", &asked, "403 NoPermission");
    alice.refused("AssumeRole", &asked, "403 NoPermission");
    let user = bob.user("carl");
    let worker = bob.with(&user);
    worker.refused("AssumeRole", &asked, "403 NoPermission");
    bob.policy("assume", &allow(&["sts:AssumeRole"], &role));
    bob.attach("assume", ("User", "carl"));
    let session = worker.assume(&role, &[]);
    let acting = alice.with(&session);
    assert_eq!(encrypt(acting, &key), "200");
    acting.refused("DescribeKey", &[("KeyId", &key)], DENIED);
    let identity = acting.ok("GetCallerIdentity", &[]);
    assert_eq!(identity["IdentityType"], "AssumedRoleUser");
    assert_eq!(identity["AccountId"], world.alice.account.as_str());
    let (event, _) = world.audit.events().into_iter().rfind(|(event, _)| event["eventName"] == "Encrypt").unwrap();
    assert_eq!(event["userIdentity"]["type"], "assumed-role");
    assert_eq!(event["userIdentity"]["userName"], "decryptor:session");
    // A user of the role's own account is not named.
    let own = alice.user_with("own", &allow(&["sts:AssumeRole"], "*"));
    alice.with(&own).refused("AssumeRole", &asked, "403 NoPermission");
    let elsewhere = role.replace("decryptor", "nobody");
    worker.refused("AssumeRole", &[("RoleArn", &elsewhere), ("RoleSessionName", "s1")], "403 NoPermission");
}

type End = fn(Client<'_>, &str);

#[test]
fn sessions_end_when_role_policy_or_trust_is_taken_away() {
    let trusted_user = |world: &World| format!("acs:ram::{}:user/carl", world.bob.account);
    let ends: [(&str, End); 5] = [
        ("the role", |alice, _| {
            alice.detach("of-role-r", ("Role", "r"));
            alice.done("DeleteRole", &[("RoleName", "r")]);
        }),
        ("its policy", |alice, _| alice.detach("of-role-r", ("Role", "r"))),
        ("a version of its policy", |alice, _| {
            let nothing = allow(&["kms:ListKeys"], "*");
            let made = [("PolicyName", "of-role-r"), ("PolicyDocument", nothing.as_str()), ("SetAsDefault", "true")];
            alice.ok("CreatePolicyVersion", &made);
        }),
        ("its trust", |alice, _| {
            let other = trust(&["acs:ram::1234567890123456:root"]);
            alice.ok("UpdateRole", &[("RoleName", "r"), ("NewAssumeRolePolicyDocument", &other)]);
        }),
        ("the key", |alice, key| alice.done("DisableKey", &[("KeyId", key)])),
    ];
    for (what, end) in ends {
        let world = World::new();
        let (alice, bob, key) = (world.alice(), world.bob(), world.key());
        let role = alice.role_with("r", &trust(&[&trusted_user(&world)]), &allow(&["kms:Encrypt"], "*"));
        let user = bob.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
        let session = bob.with(&user).assume(&role, &[]);
        let acting = alice.with(&session);
        assert_eq!(encrypt(acting, &key), "200");
        // A change that leaves the trust as it was changes nothing.
        let same = trust(&[&trusted_user(&world), "acs:ram::1234567890123456:root"]);
        alice.ok("UpdateRole", &[("RoleName", "r"), ("NewAssumeRolePolicyDocument", &same)]);
        assert_eq!(encrypt(acting, &key), "200", "{what}");
        end(alice, &key);
        let expected = if what == "the key" { "409 Rejected.Disabled" } else { DENIED };
        assert_eq!(encrypt(acting, &key), expected, "{what}");
        // Another process knows it too.
        let again = world.reopened();
        assert_eq!(encrypt(again.alice().with(&session), &key), expected, "{what}");
    }
}

#[test]
fn a_role_made_anew_inherits_no_session() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let trusting = trust(&[&format!("acs:ram::{}:root", world.bob.account)]);
    let role = alice.role_with("r", &trusting, &allow(&["kms:*"], "*"));
    let user = bob.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
    let session = bob.with(&user).assume(&role, &[]);
    alice.detach("of-role-r", ("Role", "r"));
    alice.done("DeleteRole", &[("RoleName", "r")]);
    alice.ok("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trusting)]);
    alice.attach("of-role-r", ("Role", "r"));
    assert_eq!(encrypt(alice.with(&session), &key), DENIED);
}

#[test]
fn a_session_policy_narrows_and_never_widens() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let trusting = trust(&[&format!("acs:ram::{}:root", world.bob.account)]);
    let role = alice.role_with("r", &trusting, &allow(&["kms:Encrypt", "kms:DescribeKey"], "*"));
    let user = bob.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
    let worker = bob.with(&user);
    let narrow = worker.assume(&role, &[("Policy", &allow(&["kms:Encrypt", "kms:ListKeys"], "*"))]);
    let acting = alice.with(&narrow);
    assert_eq!(encrypt(acting, &key), "200");
    acting.refused("DescribeKey", &[("KeyId", &key)], DENIED);
    acting.refused("ListKeys", &[], DENIED);
    // A key policy that names the role does not reach past the session policy either.
    let arn = format!("acs:ram::{}:role/r", world.alice.account);
    key_policy(&world, &key, &arn, &["kms:*"]);
    acting.refused("DescribeKey", &[("KeyId", &key)], DENIED);
    alice.with(&worker.assume(&role, &[])).ok("ListKeyVersions", &[("KeyId", &key)]);
}

#[test]
fn external_id_and_duration() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let trusting = document(&[json!({
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "RAM": [format!("acs:ram::{}:root", world.bob.account)] },
        "Condition": { "StringEquals": { "sts:ExternalId": "customer-7" } },
    })]);
    let role = alice.role_with("r", &trusting, &allow(&["kms:Encrypt"], "*"));
    let user = bob.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
    let worker = bob.with(&user);
    let asked = [("RoleArn", role.as_str()), ("RoleSessionName", "session")];
    worker.refused("AssumeRole", &asked, "403 NoPermission");
    worker.refused("AssumeRole", &[&asked[..], &[("ExternalId", "customer-8")]].concat(), "403 NoPermission");
    let agreed = [("ExternalId", "customer-7"), ("DurationSeconds", "900")];
    let session = worker.assume(&role, &agreed);
    for (name, value, expected) in [
        ("DurationSeconds", "899", "400 InvalidParameter.DurationSeconds"),
        ("DurationSeconds", "3601", "400 InvalidParameter.DurationSeconds"),
        ("RoleSessionName", "a b", "400 InvalidParameter.RoleSessionName"),
        ("RoleArn", "r", "400 InvalidParameter.RoleArn"),
        ("Policy", "{}", "400 InvalidParameter.PolicyGrammar"),
        ("Policy", &" ".repeat(2049), "400 InvalidParameter.PolicySize"),
    ] {
        let mut params: Vec<_> = asked.iter().copied().filter(|(other, _)| *other != name).collect();
        params.extend([("ExternalId", "customer-7"), (name, value)]);
        worker.refused("AssumeRole", &params, expected);
    }
    assert_eq!(encrypt(alice.with(&session), &key), "200");
    world.advance(899);
    assert_eq!(encrypt(alice.with(&session), &key), "200");
    world.advance(1);
    assert_eq!(encrypt(alice.with(&session), &key), "400 InvalidSecurityToken.Expired");
}

#[test]
fn tokens_that_are_none() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let trusting = trust(&[&format!("acs:ram::{}:root", world.bob.account)]);
    let role = alice.role_with("r", &trusting, &allow(&["kms:Encrypt"], "*"));
    let user = bob.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
    let worker = bob.with(&user);
    let (session, other) = (worker.assume(&role, &[]), worker.assume(&role, &[]));
    let with_token = |token: Option<&str>| {
        let mut changed = session.clone();
        changed.token = token.map(str::to_owned);
        encrypt(alice.with(&changed), &key)
    };
    let token = session.token.as_deref().unwrap();
    assert_eq!(with_token(Some(token)), "200");
    assert_eq!(with_token(None), "400 MissingSecurityToken");
    assert_eq!(with_token(other.token.as_deref()), "400 InvalidSecurityToken.MismatchWithAccessKey");
    for bad in ["x", &token[1..], &token[..token.len() - 2], &format!("{token}A"), &"A".repeat(9000)] {
        let code = with_token(Some(bad));
        assert!(
            code.starts_with("400 InvalidSecurityToken.Malformed") || code.starts_with("400 InvalidParameter"),
            "{code}"
        );
    }
    let mut forged = session.clone();
    forged.secret = other.secret.clone();
    assert_eq!(encrypt(alice.with(&forged), &key), "400 SignatureDoesNotMatch");
    // A token beside an ordinary access key.
    let mut root = world.alice.clone();
    root.token.clone_from(&session.token);
    assert_eq!(encrypt(alice.with(&root), &key), "400 InvalidSecurityToken.MismatchWithAccessKey");
}

#[test]
fn a_guesser_is_locked_out_and_the_user_is_not() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:Encrypt"], "*"));
    let mut wrong = user.clone();
    wrong.secret = b"wrong".to_vec();
    for _ in 0..jomae_core::lockout::FAILURES_MAX {
        assert_eq!(encrypt(alice.with(&wrong), &key), "400 SignatureDoesNotMatch");
    }
    assert_eq!(encrypt(alice.with(&wrong), &key), "429 Rejected.Throttling");
    let from = |address: &str| address.clone_into(&mut world.source_ip.lock().unwrap());
    from("198.51.100.1");
    assert_eq!(encrypt(alice.with(&user), &key), "200", "from another place");
    from(ADDRESS);
    world.advance(jomae_core::lockout::FIRST_LOCK_SECS);
    assert_eq!(encrypt(alice.with(&user), &key), "200", "and from there when the lock is over");
    for _ in 0..2 * jomae_core::lockout::FAILURES_MAX {
        assert_eq!(encrypt(alice.with(&wrong), &key), "400 SignatureDoesNotMatch", "a known place is not locked");
    }
    assert_eq!(encrypt(alice.with(&user), &key), "200");
}

#[test]
fn a_receipt_is_given_on_request() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let plain = alice.reply("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
    assert_eq!(plain.logged.receipt, None);
    let index = plain.logged.index.expect("every answer tells its place in the log");
    let signed = alice.signed("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)], &world.nonce());
    let mut with_header = signed;
    with_header.headers.push(("x-jomae-receipt", "true".to_owned()));
    let reply = alice.reply_to(&with_header, "POST");
    assert_eq!(reply.logged.index, Some(index + 1));
    let receipt = reply.logged.receipt.expect("a receipt");
    assert_eq!(receipt, format!("{} {} {}", index + 1, reply.request_id, world.timestamp()));
    let (_, durability) = world.audit.events().pop().unwrap();
    assert_eq!(durability, jomae_core::audit::Durability::OnDisk, "a receipt promises that the event is there");
}

/// Rights are of one moment: whoever leaves a group is not given what the group is given afterwards.
#[test]
fn what_is_read_together_held_together() {
    let world = World::new();
    let alice = world.alice();
    let user = alice.user("ann");
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    let member = [("UserName", "ann"), ("GroupName", "g")];
    alice.done("AddUserToGroup", &member);
    let vault = &world.service.kms.vault;
    let key = vault.reading().get::<AccessKeyRecord>(&path::access_key(&user.id)).unwrap().unwrap();
    let id = key.stored.user.clone().unwrap();
    let mut turns = 0;
    let policies = at_one_moment(&mut vault.reading(), &world.alice.account, |tx| {
        turns += 1;
        let user = tx.get::<UserRecord>(&ram_path::user(&world.alice.account, &id))?.unwrap();
        if turns == 1 {
            alice.done("RemoveUserFromGroup", &member);
            alice.attach_system("AdministratorAccess", ("Group", "g"));
        }
        let mut policies = Vec::new();
        for (group, _) in &user.groups {
            let group = tx.get::<GroupRecord>(&ram_path::group(&world.alice.account, group))?.unwrap();
            policies.extend(group.policies.iter().map(|attached| attached.name.clone()));
        }
        Ok(policies)
    });
    assert_eq!((turns, policies.unwrap()), (2, Vec::new()));
}
