//! Data directories of the release before there were users and roles: no list of the account's own access keys, no
//! counts, no epoch, and key policies that were only looked at, never asked.

use jomae_api::{policy::KeyPolicy, time::Timestamp};
use jomae_core::{
    identity::{accounts, bootstrap},
    ram::record::path as ram_path,
    record::path,
    tx::CommitOutcome,
};
use jomae_sim::block_on;
use serde_json::json;

use crate::common::{Client, Credentials, HELLO, START, World, allow, code_of};

const DENIED: &str = "403 Forbidden.NoPermission";

/// What the old language took and the new one does not know.
fn old_policies(world: &World) -> Vec<String> {
    let with = |name: &str, value: serde_json::Value| {
        let root = format!("acs:ram::{}:root", world.bob.account);
        let mut statement = json!({ "Effect": "Allow", "Principal": { "RAM": [root] }, "Action": ["kms:*"],
            "Resource": ["*"] });
        statement[name] = value;
        json!({ "Version": "1", "Statement": [statement] }).to_string()
    };
    vec![
        with("Condition", json!({ "StringMatches": { "acs:Anything": ["x"] } })),
        with("Condition", json!({ "StringEquals": { "kms:Unknown": "x" } })),
        with("Condition", json!({ "Bool": { "acs:SecureTransport": true } })),
        with("Condition", serde_json::Value::Null),
        with("Sid", serde_json::Value::Null),
        with("Principal", json!({ "RAM": [format!("acs:ram::{}:user/a b/*", world.bob.account)] })),
    ]
}

/// Writes a key policy as the old release kept it: the text as a JSON string in the record of the key.
fn keep_policy(world: &World, key: &str, text: &str) {
    let old: KeyPolicy = serde_json::from_value(json!(text)).unwrap();
    world.edit_record(key, |record| record.policy = Some(old.clone()));
}

#[test]
fn key_policies_that_are_not_read_any_more() {
    let world = World::new();
    let (alice, bob) = (world.alice(), world.bob());
    let admin = alice.user("admin");
    alice.attach_system("AdministratorAccess", ("User", "admin"));
    let (admin, key) = (alice.with(&admin), world.key());
    let arn = world.place(&key).arn();
    let nobodys = arn.replace(&key, "key-0000000000000000000000");
    let bobs_own = bob.key(&[]);
    for text in old_policies(&world) {
        assert!(KeyPolicy::from_json(&text).is_none(), "{text}");
        keep_policy(&world, &key, &text);
        // The account itself may do everything, as ever.
        let ciphertext = alice.encrypt(&key);
        alice.decrypts(&ciphertext);
        alice.describe(&key);
        let read = alice.ok("GetKeyPolicy", &[("KeyId", &key), ("PolicyName", "default")]);
        assert_eq!(read, json!({ "Policy": text }));
        assert_eq!(alice.ok("ListKeys", &[])["TotalCount"], 1);
        // Others nothing, whatever they may otherwise, and the operator is told why.
        let used = [("KeyId", key.as_str()), ("Plaintext", HELLO)];
        let reply = admin.reply("Encrypt", &used);
        let denial = reply.outcome.denial.unwrap();
        assert_eq!((reply.status, denial.permission, &denial.resource), (403, "kms:Encrypt", &arn));
        assert!(denial.reason.starts_with("the key policy cannot be read"), "{denial}");
        assert!(reply.outcome.fault.is_none());
        admin.refused("Decrypt", &[("CiphertextBlob", &ciphertext)], DENIED);
        admin.refused("SetKeyPolicy", &[("KeyId", &key), ("Policy", &text)], "400 InvalidParameter");
        // To other accounts the key looks like one that is not there.
        for (action, more) in [("Encrypt", &used[1..]), ("DescribeKey", &[])] {
            let asked = |name: &str| {
                let reply = bob.reply(action, &[&[("KeyId", name)], more].concat());
                (reply.status, String::from_utf8(reply.body).unwrap().replace(&reply.request_id, ""))
            };
            let (there, absent) = (asked(&arn), asked(&nobodys));
            assert_eq!(there.0, 403);
            assert_eq!(there, absent, "{text}");
        }
        bob.refused("Decrypt", &[("CiphertextBlob", &ciphertext)], "404 Forbidden.KeyNotFound");
        let to_it = [("CiphertextBlob", ciphertext.as_str()), ("DestinationKeyId", bobs_own.as_str())];
        bob.refused("ReEncrypt", &to_it, "404 Forbidden.KeyNotFound");
    }
    // The account itself mends it.
    let good = KeyPolicy::default_of(&world.alice.account);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", good.as_str())]);
    admin.encrypt(&key);
    assert_eq!(code_of(&bob.call("DescribeKey", &[("KeyId", &arn)])), DENIED);
}

/// What was taken before misspelt actions, resources of wrong forms and denials that never deny were refused.
#[test]
fn stored_policies_keep_their_effect() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let root = format!("acs:ram::{}:root", world.alice.account);
    let ann = alice.user_with("ann", &allow(&["kms:Encrypt"], "*"));
    let denied = format!("acs:ram::{}:user/ann", world.alice.account);
    // The policy of a key: it still denies the one thing and lets the other.
    let old = json!({ "Version": "1", "Statement": [
        { "Effect": "Deny", "Principal": { "RAM": denied }, "Action": ["kms:Decrpyt", "kms:Encrypt"], "Resource": "*" },
        { "Effect": "Allow", "Principal": { "RAM": denied }, "Action": "kms:DescribeKey", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "RAM": root }, "Action": "kms:*", "Resource": "*" },
    ] })
    .to_string();
    assert!(KeyPolicy::read(&old).is_err());
    keep_policy(&world, &key, &old);
    let encrypted = [("KeyId", key.as_str()), ("Plaintext", HELLO)];
    alice.with(&ann).refused("Encrypt", &encrypted, DENIED);
    alice.with(&ann).describe(&key);
    alice.refused("SetKeyPolicy", &[("KeyId", &key), ("Policy", &old)], "400 InvalidParameter");
    // The policy of a user.
    let other = world.key();
    alice.with(&ann).encrypt(&other);
    alice.policy("old", &allow(&["kms:DescribeKey"], "*"));
    alice.attach("old", ("User", "ann"));
    let old = json!({ "Version": "1", "Statement": [
        { "Effect": "Deny", "Action": ["kms:Encrypt", "kms:Decrpyt"], "Resource": "*" },
        { "Effect": "Deny", "Action": "kms:*", "Resource": "acs:KMS:*:*:*" },
        { "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*" },
    ] })
    .to_string();
    world.write(|tx| {
        let at = ram_path::policy(&world.alice.account, "old");
        let mut record = (*tx.get::<jomae_core::ram::record::PolicyRecord>(&at).unwrap().unwrap()).clone();
        record.versions[0].document.clone_from(&old);
        tx.put(at, &record).unwrap();
    });
    alice.user("ben");
    alice.with(&ann).refused("Encrypt", &[("KeyId", &other), ("Plaintext", HELLO)], DENIED);
    alice.with(&ann).ok("ListKeys", &[]);
    alice.refused("CreatePolicy", &[("PolicyName", "new"), ("PolicyDocument", &old)], "400 MalformedPolicyDocument");
}

/// The account's first access key as the old release made it: a record without `user`, and nothing under `ram/`.
fn old_account(world: &World, delivered: bool) -> Credentials {
    let vault = &world.service.kms.vault;
    let made = block_on(accounts::create(vault, "default", Timestamp(START))).unwrap();
    let stored = {
        let at = path::access_key(&made.access_key_id);
        let record = vault.reading().get::<jomae_core::record::AccessKeyRecord>(&at).unwrap().unwrap();
        let mut stored = serde_json::to_value(&record.stored).unwrap();
        stored.as_object_mut().unwrap().remove("user");
        stored
    };
    assert_eq!(stored.as_object().unwrap().len(), 4, "account, created, active, secret");
    let old = jomae_core::record::AccessKeyRecord::of(serde_json::from_value(stored).unwrap());
    let mut tx = vault.writing();
    tx.put(path::access_key(&made.access_key_id), &old).unwrap();
    tx.delete(ram_path::root_key(&made.account, &made.access_key_id));
    let note = bootstrap::BootstrapRecord { access_key_id: made.access_key_id.clone(), delivered };
    tx.put(jomae_core::store::Path::new("sys/bootstrap"), &note).unwrap();
    assert_eq!(block_on(tx.commit()).unwrap(), CommitOutcome::Done);
    Credentials { account: made.account, id: made.access_key_id, secret: made.secret.expose().to_vec(), token: None }
}

#[test]
fn the_first_access_key_is_listed_after_a_start() {
    for delivered in [true, false] {
        let world = World::new();
        let first = old_account(&world, delivered);
        let start = || {
            let made = block_on(bootstrap::first_credential(&world.service.kms.vault, Timestamp(START))).unwrap();
            assert_eq!(made.map(|made| made.access_key_id), (!delivered).then(|| first.id.clone()));
        };
        let client = Client::new(&world, &first);
        let listed = || client.ok("ListAccessKeys", &[])["AccessKeys"]["AccessKey"].as_array().unwrap().len();
        // Before the start nobody can take it away either.
        let own = [("UserAccessKeyId", first.id.as_str())];
        client.refused("DeleteAccessKey", &own, "409 DeleteConflict.Account.AccessKey");
        start();
        assert_eq!(listed(), 1);
        let before = world.dump();
        start();
        assert_eq!(world.dump(), before, "a second start finds nothing to do");
        client.refused("DeleteAccessKey", &own, "409 DeleteConflict.Account.AccessKey");
        // It is one of the account's own like any other: one that is made later can go, and it can go.
        let answer = client.ok("CreateAccessKey", &[]);
        let second = crate::ram_users::credentials(&world, &answer);
        let of_second = [("UserAccessKeyId", second.id.as_str())];
        assert_eq!(listed(), 2);
        client.done("UpdateAccessKey", &[&of_second[..], &[("Status", "Inactive")]].concat());
        client.done("UpdateAccessKey", &[&of_second[..], &[("Status", "Active")]].concat());
        client.with(&second).done("DeleteAccessKey", &own);
        if delivered {
            start();
            assert!(!world.paths_with(&first.id).iter().any(|path| path.contains("root-key")), "it stays away");
        }
    }
}

/// An account without any record of RAM is one in which nothing has happened yet.
#[test]
fn users_come_to_an_old_account() {
    let world = World::new();
    let first = old_account(&world, true);
    let root = Client::new(&world, &first);
    assert!(world.paths_with(&format!("ram/{}", first.account)).is_empty());
    for list in ["ListUsers", "ListGroups", "ListRoles", "ListPolicies"] {
        root.ok(list, &[]);
    }
    let key = root.key(&[]);
    let user = root.user_with("ann", &allow(&["kms:Encrypt"], "*"));
    root.with(&user).encrypt(&key);
    root.with(&user).refused("DescribeKey", &[("KeyId", &key)], DENIED);
    root.ok("LookupEvents", &[]);
}
