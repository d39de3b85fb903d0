//! What somebody tries who has some rights, or none: to gain others, or to learn what is there.

use std::sync::Arc;

use jomae_core::lockout::FAILURES_MAX;
use serde_json::{Value, json};

use crate::common::{ADDRESS, Client, HELLO, World, allow, code_of, document, trust};

const DENIED: &str = "403 Forbidden.NoPermission";
const RAM_DENIED: &str = "403 NoPermission";

fn encrypt(client: Client<'_>, key: &str) -> String {
    code_of(&client.call("Encrypt", &[("KeyId", key), ("Plaintext", HELLO)]))
}

fn names(world: &World, user: &str) -> String {
    format!("acs:ram::{}:user/{user}", world.alice.account)
}

/// Who may rename one user, and no other, does not get the rights of a name that a key or a role knows.
#[test]
fn a_name_is_not_taken_by_renaming() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let policy = document(&[json!({ "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
        "Principal": { "RAM": [names(&world, "carl")] } })]);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &policy)]);
    let own = format!("acs:ram:*:{}:user/mallory", world.alice.account);
    let user = alice.user_with("mallory", &allow(&["ram:*"], &own));
    let mallory = alice.with(&user);
    let to_carl = [("UserName", "mallory"), ("NewUserName", "carl")];
    mallory.refused("UpdateUser", &to_carl, RAM_DENIED);
    mallory.refused("CreateUser", &[("UserName", "carl")], RAM_DENIED);
    assert_eq!(encrypt(mallory, &key), DENIED);
    // Nor the rights of groups, roles and policies.
    alice.ok("CreateGroup", &[("GroupName", "admins")]);
    alice.attach_system("AdministratorAccess", ("Group", "admins"));
    mallory.refused("AddUserToGroup", &[("UserName", "mallory"), ("GroupName", "admins")], RAM_DENIED);
    for (kind, policy) in [("System", "AdministratorAccess"), ("Custom", "of-mallory")] {
        let attach = [("PolicyType", kind), ("PolicyName", policy), ("UserName", "mallory")];
        mallory.refused("AttachPolicyToUser", &attach, RAM_DENIED);
    }
    let admin = allow(&["*"], "*");
    let version = [("PolicyName", "of-mallory"), ("PolicyDocument", &admin), ("SetAsDefault", "true")];
    mallory.refused("CreatePolicyVersion", &version, RAM_DENIED);
    // The account itself may.
    alice.ok("UpdateUser", &to_carl);
    assert_eq!(encrypt(mallory, &key), "200");
}

/// A policy of the account is not taken for one of the service's of the same name, whatever its kind is said to be.
#[test]
fn names_of_system_policies_are_the_services() {
    let world = World::new();
    let alice = world.alice();
    let document = allow(&["kms:*"], "*");
    let made = alice.call("CreatePolicy", &[("PolicyName", "AliyunKMSReadOnlyAccess"), ("PolicyDocument", &document)]);
    assert_eq!(code_of(&made), "409 EntityAlreadyExists.Policy");
    // Who may give away the account's policies may not give away the service's.
    let custom = format!("acs:ram:*:{}:*", world.alice.account);
    let user = alice.user_with("ann", &allow(&["ram:*"], &custom));
    let attach = [("PolicyType", "System"), ("PolicyName", "AdministratorAccess"), ("UserName", "ann")];
    alice.with(&user).refused("AttachPolicyToUser", &attach, RAM_DENIED);
}

/// Neither users nor sessions reach the access keys of the account itself, or of other users.
#[test]
fn access_keys_of_others() {
    let world = World::new();
    let alice = world.alice();
    let root = ("UserAccessKeyId", world.alice.id.as_str());
    alice.user("ben");
    let bens = alice.access_key("ben");
    let ben = ("UserAccessKeyId", bens.id.as_str());
    let admin = alice.user("admin");
    alice.attach_system("AdministratorAccess", ("User", "admin"));
    let role = alice.role_with("boss", &trust(&[&names(&world, "admin")]), &allow(&["*"], "*"));
    let session = alice.with(&admin).assume(&role, &[]);
    for client in [alice.with(&admin), alice.with(&session)] {
        for name in [None, Some(("UserName", "admin")), Some(("UserName", "ben"))] {
            for key in [root, ben] {
                if name == Some(("UserName", "ben")) && key == ben {
                    continue;
                }
                let params: Vec<_> = [key].into_iter().chain(name).collect();
                let off = [&params[..], &[("Status", "Inactive")]].concat();
                for (action, params) in
                    [("DeleteAccessKey", &params), ("UpdateAccessKey", &off), ("GetAccessKeyLastUsed", &params)]
                {
                    assert_ne!(code_of(&client.call(action, params)), "200", "{action} {params:?}");
                }
            }
        }
    }
    // A user of that name is a user like others.
    alice.user("root");
    let listed = alice.with(&admin).ok("ListAccessKeys", &[("UserName", "root")]);
    assert!(!listed.to_string().contains(&world.alice.id));
    alice.ok("GetCallerIdentity", &[]);
    alice.with(&bens).ok("GetCallerIdentity", &[]);
}

/// Who repeats a request of somebody else's shows no secret: the place from which it comes is locked like any other.
#[test]
fn a_replay_does_not_make_a_place_known() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:Encrypt"], "*"));
    let ann = alice.with(&user);
    let seen = ann.signed("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)], "seen");
    assert_eq!(ann.reply_to(&seen, "POST").status, 200);
    let from = |address: &str| address.clone_into(&mut world.source_ip.lock().unwrap());
    from("198.51.100.66");
    assert_eq!(ann.reply_to(&seen, "POST").outcome.refusal, Some(jomae_api::error::Refusal::NonceUsed));
    let mut wrong = user.clone();
    wrong.secret = b"wrong".to_vec();
    for _ in 0..FAILURES_MAX {
        assert_eq!(encrypt(alice.with(&wrong), &key), "400 SignatureDoesNotMatch");
    }
    assert_eq!(encrypt(alice.with(&wrong), &key), "429 Rejected.Throttling");
    from(ADDRESS);
    assert_eq!(encrypt(ann, &key), "200");
}

/// A call is judged by the name that the user has when its rights are read.
#[test]
fn a_user_renamed_during_the_call() {
    let world = Arc::new(World::new());
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user("ann");
    let policy = document(&[json!({ "Effect": "Allow", "Action": "kms:TagResource", "Resource": "*",
        "Principal": { "RAM": [names(&world, "ann")] } })]);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &policy)]);
    let elsewhere = Arc::clone(&world);
    world.store.before_next_commit(move || {
        elsewhere.alice().ok("UpdateUser", &[("UserName", "ann"), ("NewUserName", "former")]);
    });
    let tag = [("KeyId", key.as_str()), ("Tags", r#"[{"TagKey":"a","TagValue":"b"}]"#)];
    let reply = alice.with(&user).reply("TagResource", &tag);
    assert_eq!(reply.status, 503, "{}", String::from_utf8_lossy(&reply.body));
    alice.with(&user).refused("TagResource", &tag, DENIED);
    assert_eq!(alice.ok("ListResourceTags", &[("KeyId", &key)])["Tags"]["Tag"], Value::Array(Vec::new()));
}

/// With everything as long as it may be, a token is still one that the service takes.
#[test]
fn the_longest_token() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let name = "n".repeat(64);
    let user = alice.user_with(&name, &allow(&["sts:AssumeRole"], "*"));
    let role = alice.role_with(&name, &trust(&[&names(&world, &name)]), &allow(&["kms:*"], "*"));
    let policy = allow(&["kms:*"], "*");
    let policy = format!("{policy}{}", "\n".repeat(2048 - policy.len()));
    *world.source_ip.lock().unwrap() = "2001:db8:1111:2222:3333:4444:5555:6666".to_owned();
    let params = [
        ("RoleArn", role.as_str()),
        ("RoleSessionName", &name),
        ("Policy", &policy),
        ("ExternalId", &"e".repeat(1224)),
        ("SourceIdentity", &name),
    ];
    let answer = alice.with(&user).ok("AssumeRole", &params);
    let text = |member: &str| answer["Credentials"][member].as_str().unwrap().to_owned();
    let token = text("SecurityToken");
    let session = crate::common::Credentials {
        account: world.alice.account.clone(),
        id: text("AccessKeyId"),
        secret: text("AccessKeySecret").into_bytes(),
        token: Some(token.clone()),
    };
    assert_eq!(encrypt(alice.with(&session), &key), "200", "{} characters", token.len());
}

/// Whoever can take records out of the store does not take a deny away: what is missing lets nobody.
#[test]
fn what_is_missing_takes_no_deny_away() {
    let deny = document(&[json!({ "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*" })]);
    for missing in ["/group/", "/policy/deny", "/epoch"] {
        let world = World::new();
        let (alice, key) = (world.alice(), world.key());
        let user = alice.user_with("ann", &allow(&["kms:*"], "*"));
        alice.ok("CreateGroup", &[("GroupName", "held")]);
        alice.policy("deny", &deny);
        alice.attach("deny", ("Group", "held"));
        alice.done("AddUserToGroup", &[("UserName", "ann"), ("GroupName", "held")]);
        let ann = alice.with(&user);
        assert_eq!(encrypt(ann, &key), DENIED);
        ann.describe(&key);
        let [at] = &world.paths_with(&format!("{}{missing}", world.alice.account))[..] else { panic!("{missing}") };
        world.overwrite(at, None);
        let world = world.reopened();
        let answer = encrypt(Client::new(&world, &user), &key);
        let expected = if missing == "/epoch" { DENIED } else { "500 InternalFailure" };
        assert_eq!(answer, expected, "{missing}");
        Client::new(&world, &world.alice).encrypt(&key);
    }
}
