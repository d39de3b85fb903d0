//! What docs/security.md says of those who have got hold of something.

use jomae_core::{
    identity::token,
    keyring::{DOMAIN_PREFIX, Keyring},
    store::memory::MemoryStore,
};
use jomae_sim::block_on;
use serde_json::{Value, json};

use crate::common::{ADDRESS, Client, HELLO, Root, World, allow, code_of, document, trust};

const DENIED: &str = "403 Forbidden.NoPermission";

fn encrypt(client: Client<'_>, key: &str) -> String {
    code_of(&client.call("Encrypt", &[("KeyId", key), ("Plaintext", HELLO)]))
}

/// Who has the store, or a backup, reads names and nothing else.
#[test]
fn nothing_opens_without_the_root_key() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:Encrypt", "sts:AssumeRole"], "*"));
    alice.ok("UpdateUser", &[("UserName", "ann"), ("NewComments", "telling")]);
    alice.ok("CreateGroup", &[("GroupName", "writers"), ("Comments", "telling")]);
    alice.done("AddUserToGroup", &[("UserName", "ann"), ("GroupName", "writers")]);
    let named = trust(&[&format!("acs:ram::{}:user/ann", world.alice.account)]);
    let role = alice.role_with("keeper", &named, &allow(&["kms:Decrypt"], "*"));
    let session = alice.with(&user).assume(&role, &[]);
    alice.done("CreateAlias", &[("AliasName", "alias/orders"), ("KeyId", &key)]);

    // A store that was opened by the key of another, and the keys of another store.
    assert!(block_on(Keyring::open(&*world.store, &Root::other())).is_err());
    let others = block_on(Keyring::open(&MemoryStore::new(), &Root::other())).unwrap();
    let stolen = world.dump();
    let hidden = [
        b"telling".as_slice(),
        b"AssumeRole",
        b"kms:",
        b"Active",
        &user.secret,
        &session.secret,
        &world.alice.secret,
        b"Aliyun_AES_256",
    ];
    for (path, value) in &stolen {
        assert!(path.starts_with(DOMAIN_PREFIX) || others.open_record(path, value).is_err(), "{path}");
        for text in hidden {
            assert!(!value.windows(text.len()).any(|window| window == text), "{path}");
        }
    }
    assert!(token::open(&others, session.token.as_deref().unwrap()).is_none());
    assert!(token::open(world.service.kms.vault.keyring(), session.token.as_deref().unwrap()).is_some());
    // The names are no secret.
    for shown in ["user-name/ann", "group-name/writers", "role-name/keeper", "policy/of-ann", "alias/orders", &user.id]
    {
        assert!(stolen.keys().any(|path| path.contains(shown)), "{shown}");
    }
    // Nothing is stored of a session.
    assert!(!stolen.keys().any(|path| path.contains(&session.id)));
}

/// A user's access key does what the user may, and stops with the call after it was switched off.
#[test]
fn a_leaked_access_key_ends_with_the_next_call() {
    let world = World::new();
    let (alice, key, other) = (world.alice(), world.key(), world.key());
    let leaked = alice.user_with("ann", &allow(&["kms:Encrypt"], &world.place(&key).arn()));
    let thief = alice.with(&leaked);
    assert_eq!(encrypt(thief, &key), "200");
    assert_eq!(encrypt(thief, &other), DENIED);
    let attach = [("PolicyType", "System"), ("PolicyName", "AdministratorAccess"), ("UserName", "ann")];
    for (action, params) in [
        ("AttachPolicyToUser", &attach[..]),
        ("CreateAccessKey", &[("UserName", "ann")]),
        ("CreateAccessKey", &[]),
        ("ListUsers", &[]),
        ("LookupEvents", &[]),
    ] {
        thief.refused(action, params, "403 NoPermission");
    }
    for action in ["DisableKey", "ScheduleKeyDeletion", "GetKeyPolicy", "DescribeKey"] {
        let params = [("KeyId", key.as_str()), ("PendingWindowInDays", "7")];
        thief.refused(action, &params, DENIED);
    }

    // The user goes on with another access key; the leaked one is worth nothing.
    let next = alice.access_key("ann");
    let id = [("UserName", "ann"), ("UserAccessKeyId", leaked.id.as_str())];
    alice.done("UpdateAccessKey", &[&id[..], &[("Status", "Inactive")]].concat());
    assert_eq!(encrypt(thief, &key), "400 InvalidAccessKeyId.Inactive");
    let elsewhere = world.reopened();
    assert_eq!(encrypt(elsewhere.alice().with(&leaked), &key), "400 InvalidAccessKeyId.Inactive");
    assert_eq!(encrypt(alice.with(&next), &key), "200");
    alice.done("DeleteAccessKey", &id);
    assert_eq!(encrypt(thief, &key), "404 InvalidAccessKeyId.NotFound");
    // Every call of the thief's is there, but those that no known caller has signed.
    let calls = |event: &Value| event["userIdentity"]["accessKeyId"] == leaked.id.as_str();
    assert_eq!(world.audit.events().iter().filter(|(event, _)| calls(event)).count(), 11);
}

/// What was made with a leaked access key lives on, until the role no longer trusts who made it.
#[test]
fn sessions_outlive_the_access_key_and_end_with_the_trust() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let account = world.alice.account.as_str();
    let everybody = json!({
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "RAM": [format!("acs:ram::{account}:root")] },
    });
    let role = alice.role_with("r", &document(std::slice::from_ref(&everybody)), &allow(&["kms:Encrypt"], "*"));
    let leaked = alice.user_with("ann", &allow(&["sts:AssumeRole"], "*"));
    let good = alice.user_with("ben", &allow(&["sts:AssumeRole"], "*"));
    let stolen = alice.with(&leaked).assume(&role, &[]);
    let honest = alice.with(&good).assume(&role, &[]);
    let with = |session| encrypt(alice.with(session), &key);
    alice.done("DeleteAccessKey", &[("UserName", "ann"), ("UserAccessKeyId", &leaked.id)]);
    alice.detach("of-ann", ("User", "ann"));
    alice.done("DeleteUser", &[("UserName", "ann")]);
    assert_eq!([with(&stolen), with(&honest)], ["200"; 2]);
    let never = json!({
        "Effect": "Deny", "Action": "sts:AssumeRole", "Principal": { "RAM": [format!("acs:ram::{account}:user/ann")] },
    });
    let narrower = document(&[everybody, never]);
    alice.ok("UpdateRole", &[("RoleName", "r"), ("NewAssumeRolePolicyDocument", &narrower)]);
    assert_eq!([with(&stolen), with(&honest)], [DENIED, "200"]);
}

/// Whoever has a session cannot make it longer, nor turn it into more.
#[test]
fn a_leaked_session_ends_by_itself() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let account = world.alice.account.as_str();
    let ann_alone = trust(&[&format!("acs:ram::{account}:user/ann")]);
    let role = alice.role_with("r", &ann_alone, &allow(&["kms:Encrypt", "sts:*", "ram:CreateAccessKey"], "*"));
    let user = alice.user_with("ann", &allow(&["sts:AssumeRole"], "*"));
    let leaked = alice.with(&user).assume(&role, &[("DurationSeconds", "900")]);
    let thief = alice.with(&leaked);
    assert_eq!(encrypt(thief, &key), "200");
    let again = [("RoleArn", role.as_str()), ("RoleSessionName", "again")];
    thief.refused("AssumeRole", &again, "403 NoPermission");
    // A session is nobody who could have an access key of its own.
    assert_ne!(code_of(&thief.call("CreateAccessKey", &[])), "200");
    world.advance(900);
    assert_eq!(encrypt(thief, &key), "400 InvalidSecurityToken.Expired");
}

/// Whether another account has a role, and whom it trusts, is the same answer.
#[test]
fn roles_of_others_are_not_told() {
    let world = World::new();
    let (alice, bob) = (world.alice(), world.bob());
    let own = trust(&[&format!("acs:ram::{}:root", world.alice.account)]);
    let there = alice.role_with("there", &own, &allow(&["kms:*"], "*"));
    let carl = bob.user_with("carl", &allow(&["sts:AssumeRole"], "*"));
    let answer = |role: &str| {
        let reply = bob.with(&carl).reply("AssumeRole", &[("RoleArn", role), ("RoleSessionName", "session")]);
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        body.as_object_mut().unwrap().remove("RequestId");
        // Sealed, it differs each time; its account opens it.
        let message = body["AccessDeniedDetail"].as_object_mut().unwrap().remove("EncodedDiagnosticMessage").unwrap();
        let message = message.as_str().unwrap();
        let opened = bob.ok("DecodeDiagnosticMessage", &[("EncodedDiagnosticMessage", message)]).to_string();
        (reply.status, body, opened.replace(role, "the role"))
    };
    assert_eq!(answer(&there), answer(&there.replace("there", "elsewhere")));
    assert_eq!(answer(&there).1["Code"], "NoPermission");
}

/// The conditions of a key policy count for another account itself as for its users.
#[test]
fn conditions_bind_the_account_next_door() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let arn = world.place(&key).arn();
    let root = format!("acs:ram::{}:root", world.bob.account);
    let statement = |effect: &str, condition: Value| {
        json!({
            "Effect": effect, "Principal": { "RAM": [root] }, "Action": ["kms:Encrypt"], "Resource": ["*"],
            "Condition": condition,
        })
    };
    let here = json!({ "IpAddress": { "acs:SourceIp": ADDRESS } });
    let elsewhere = json!({ "IpAddress": { "acs:SourceIp": "198.51.100.0/24" } });
    let itself = json!({ "StringEquals": { "acs:PrincipalARN": root } });
    let over_tls = json!({ "Bool": { "acs:SecureTransport": "true" } });
    for (statements, expected) in [
        (vec![statement("Allow", here.clone())], "200"),
        (vec![statement("Allow", elsewhere.clone())], DENIED),
        (vec![statement("Allow", itself.clone())], "200"),
        (vec![statement("Allow", over_tls.clone()), statement("Deny", here)], DENIED),
        (vec![statement("Allow", over_tls.clone()), statement("Deny", elsewhere)], "200"),
        (vec![statement("Allow", over_tls), statement("Deny", itself)], DENIED),
    ] {
        let policy = document(&statements);
        alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &policy)]);
        assert_eq!(encrypt(bob, &arn), expected, "{policy}");
    }
}
