//! Access keys of RAM: made, switched off and on, deleted, and when they were last used.

use std::{sync::Barrier, thread};

use jomae_api::time::Timestamp;
use jomae_core::{
    identity::accounts::ROOT_KEYS_MAX,
    ram::{last_used::LastUsed, record::path as ram_path},
    record::{AccessKeyRecord, path},
};
use jomae_sim::{block_on, faults::CommitFault};
use serde_json::{Value, json};

use crate::{
    common::{Client, Credentials, World, code_of},
    ram_users::{allow, credentials, new_access_key, new_user},
};

/// IDs and states, in the order of the answer.
fn listed(client: Client<'_>, params: &[(&str, &str)]) -> Vec<(String, String)> {
    let answer = client.ok("ListAccessKeys", params);
    let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
    let rows = answer["AccessKeys"]["AccessKey"].as_array().unwrap();
    rows.iter().map(|row| (text(row, "AccessKeyId"), text(row, "Status"))).collect()
}

/// A further access key of Alice's account itself.
fn second_root_key(world: &World) -> Credentials {
    credentials(world, &world.alice().ok("CreateAccessKey", &[]))
}

fn whoami(client: Client<'_>) -> String {
    match client.call("GetCallerIdentity", &[]) {
        Ok(answer) => answer["Arn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned(),
        refused => code_of(&refused),
    }
}

#[test]
fn an_access_key_through_its_life() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateUser", &[("UserName", "u")]);
    let made = alice.ok("CreateAccessKey", &[("UserName", "u")]);
    let key = &made["AccessKey"];
    assert_eq!((&key["Status"], &key["CreateDate"]), (&json!("Active"), &json!(world.timestamp())));
    let (id, secret) = (key["AccessKeyId"].as_str().unwrap(), key["AccessKeySecret"].as_str().unwrap());
    assert!(id.starts_with("LTAI") && id.len() == 24 && secret.len() == 30, "{id}");
    let credentials = credentials(&world, &made);
    let user = Client::new(&world, &credentials);
    assert_eq!(whoami(user), "user/u");
    let row = json!({"AccessKeyId": id, "Status": "Active", "CreateDate": world.timestamp()});
    let answer = alice.ok("ListAccessKeys", &[("UserName", "u")]);
    assert_eq!(answer, json!({"AccessKeys": {"AccessKey": [row]}}));

    let named = [("UserName", "u"), ("UserAccessKeyId", id)];
    let set = |status| alice.done("UpdateAccessKey", &[&named[..], &[("Status", status)]].concat());
    for _ in 0..2 {
        set("Inactive");
        assert_eq!(whoami(user), "400 InvalidAccessKeyId.Inactive");
        set("Inactive");
        assert_eq!(listed(alice, &named[..1]), [(id.to_owned(), "Inactive".to_owned())]);
        set("Active");
        assert_eq!(whoami(user), "user/u");
    }
    // Another process with nothing in memory knows it too.
    set("Inactive");
    let other = world.reopened();
    assert_eq!(whoami(Client::new(&other, &credentials)), "400 InvalidAccessKeyId.Inactive");
    set("Active");

    alice.done("DeleteAccessKey", &named);
    assert_eq!(whoami(user), "404 InvalidAccessKeyId.NotFound");
    for (action, more) in
        [("DeleteAccessKey", &[][..]), ("UpdateAccessKey", &[("Status", "Active")]), ("GetAccessKeyLastUsed", &[])]
    {
        alice.refused(action, &[&named[..], more].concat(), "404 EntityNotExist.User.AccessKey");
    }
    assert_eq!(listed(alice, &named[..1]), []);
    assert_eq!(world.paths_with(id), [""; 0]);
    alice.done("DeleteUser", &named[..1]);
}

/// A secret stands in one answer, and nowhere else: neither in the log, nor plainly in the store, nor in another answer.
#[test]
fn a_secret_is_shown_once() {
    let world = World::new();
    let alice = world.alice();
    let (user, root) = (new_user(&world, "u"), second_root_key(&world));
    for params in [&[("UserName", "u")][..], &[]] {
        let answer = alice.ok("ListAccessKeys", params).to_string();
        assert!(!answer.contains("Secret"), "{answer}");
    }
    for key in [user, root] {
        let secret = String::from_utf8(key.secret.clone()).unwrap();
        assert!(world.audit.text().contains("CreateAccessKey") && !world.audit.text().contains(&secret));
        let stored = world.dump().into_values().any(|value| value.windows(secret.len()).any(|w| w == key.secret));
        assert!(!stored);
        // A secret in the place of an ID is not recorded either.
        alice.refused("DeleteAccessKey", &[("UserAccessKeyId", &secret)], "404 EntityNotExist.User.AccessKey");
        assert!(!world.audit.text().contains(&secret));
    }
}

#[test]
fn two_access_keys_are_enough() {
    let world = World::new();
    let alice = world.alice();
    let first = new_user(&world, "u");
    world.advance(1);
    let second = new_access_key(&world, "u");
    assert_ne!((&first.id, &first.secret), (&second.id, &second.secret));
    alice.refused("CreateAccessKey", &[("UserName", "u")], "409 LimitExceeded.User.AccessKey");
    let active = |key: &Credentials| (key.id.clone(), "Active".to_owned());
    assert_eq!(listed(alice, &[("UserName", "u")]), [active(&first), active(&second)]);
    alice.done("DeleteAccessKey", &[("UserName", "u"), ("UserAccessKeyId", &first.id)]);
    new_access_key(&world, "u");
    assert_eq!(whoami(Client::new(&world, &second)), "user/u");
    // Another user's, the account's own and another account's access keys are none of this user's.
    let (other, bobs) = (new_user(&world, "v"), world.bob.id.clone());
    for id in [&other.id, &world.alice.id, &bobs, &"LTAInone".to_owned()] {
        for (action, more) in [("DeleteAccessKey", &[][..]), ("UpdateAccessKey", &[("Status", "Inactive")])] {
            let params = [&[("UserName", "u"), ("UserAccessKeyId", id)][..], more].concat();
            alice.refused(action, &params, "404 EntityNotExist.User.AccessKey");
        }
    }
    for id in [&other.id, &bobs] {
        alice.refused("DeleteAccessKey", &[("UserAccessKeyId", id)], "404 EntityNotExist.User.AccessKey");
    }
    world.bob().refused("ListAccessKeys", &[("UserName", "u")], "404 EntityNotExist.User");
    assert_eq!(whoami(Client::new(&world, &other)), "user/v");
}

/// However many make access keys at once, there are never more than may be.
#[test]
fn makers_race() {
    for (params, at_once, room) in [(&[("UserName", "u")][..], 5, 2), (&[], 8, ROOT_KEYS_MAX - 1)] {
        let world = World::new();
        world.alice().ok("CreateUser", &[("UserName", "u")]);
        let barrier = Barrier::new(at_once);
        let answers: Vec<String> = thread::scope(|scope| {
            let calls: Vec<_> = (0..at_once)
                .map(|_| {
                    let (world, barrier) = (&world, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        code_of(&world.alice().call("CreateAccessKey", params))
                    })
                })
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|code| *code == "200").count(), room);
        assert!(answers.iter().all(|code| code == "200" || code == "409 LimitExceeded.User.AccessKey"), "{answers:?}");
    }
}

/// Without a name it is the caller who is meant, if policies allow it.
#[test]
fn users_look_after_their_own() {
    let world = World::new();
    let credentials = new_user(&world, "u");
    let user = Client::new(&world, &credentials);
    let other = new_user(&world, "v");
    let own = ("UserAccessKeyId", credentials.id.as_str());
    for params in [&[][..], &[("UserName", "u")], &[("UserName", "v")], &[("UserName", "nobody")]] {
        user.refused("ListAccessKeys", params, "403 NoPermission");
        user.refused("CreateAccessKey", params, "403 NoPermission");
    }
    let itself = format!("acs:ram:*:{}:user/u", world.alice.account);
    allow(&world, "u", "own", "ram:*AccessKey*", &itself);
    assert_eq!(listed(user, &[]), listed(world.alice(), &[("UserName", "u")]));
    user.refused("ListAccessKeys", &[("UserName", "v")], "403 NoPermission");
    user.refused("DeleteAccessKey", &[("UserAccessKeyId", &other.id)], "404 EntityNotExist.User.AccessKey");
    user.refused("DeleteAccessKey", &[("UserAccessKeyId", &world.alice.id)], "404 EntityNotExist.User.AccessKey");
    // A user may replace the access key, and may take away the last one: others can give another.
    let next = self::credentials(&world, &user.ok("CreateAccessKey", &[]));
    user.done("UpdateAccessKey", &[own, ("Status", "Inactive")]);
    assert_eq!(whoami(user), "400 InvalidAccessKeyId.Inactive");
    let user = Client::new(&world, &next);
    user.done("DeleteAccessKey", &[own]);
    user.done("DeleteAccessKey", &[("UserAccessKeyId", &next.id)]);
    assert_eq!(whoami(user), "404 InvalidAccessKeyId.NotFound");
    assert_eq!(listed(world.alice(), &[("UserName", "u")]), []);
}

/// The access keys of the account itself.
#[test]
fn the_account_cannot_lock_itself_out() {
    let world = World::new();
    let alice = world.alice();
    let id = world.alice.id.clone();
    let off = |client: Client<'_>, id: &str| {
        code_of(&client.call("UpdateAccessKey", &[("UserAccessKeyId", id), ("Status", "Inactive")]))
    };
    let delete = |client: Client<'_>, id: &str| code_of(&client.call("DeleteAccessKey", &[("UserAccessKeyId", id)]));
    let last = "409 DeleteConflict.Account.AccessKey";
    assert_eq!(listed(alice, &[]), [(id.clone(), "Active".to_owned())]);
    assert_eq!((off(alice, &id), delete(alice, &id)), (last.to_owned(), last.to_owned()));
    let second = second_root_key(&world);
    assert_eq!(whoami(Client::new(&world, &second)), "root");
    // An inactive one does not count.
    assert_eq!(off(alice, &second.id), "200");
    assert_eq!((off(alice, &id), delete(alice, &id)), (last.to_owned(), last.to_owned()));
    assert_eq!(delete(alice, &second.id), "200");
    // A user's access key does not count either.
    new_user(&world, "u");
    assert_eq!(delete(alice, &id), last);
    let third = second_root_key(&world);
    assert_eq!(delete(alice, &id), "200");
    assert_eq!(whoami(alice), "404 InvalidAccessKeyId.NotFound");
    let third = Client::new(&world, &third);
    assert_eq!(delete(third, &third.credentials.id), last);
    assert_eq!(listed(third, &[]), [(third.credentials.id.clone(), "Active".to_owned())]);
}

/// Two access keys that switch themselves off at once leave one.
#[test]
fn the_last_two_race() {
    for round in 0..20 {
        let world = World::new();
        let second = second_root_key(&world);
        let barrier = Barrier::new(2);
        let answers = thread::scope(|scope| {
            let calls = [&world.alice, &second].map(|key| {
                let (world, barrier) = (&world, &barrier);
                scope.spawn(move || {
                    let own = ("UserAccessKeyId", key.id.as_str());
                    let client = Client::new(world, key);
                    barrier.wait();
                    code_of(&match round % 2 {
                        0 => client.call("UpdateAccessKey", &[own, ("Status", "Inactive")]),
                        _ => client.call("DeleteAccessKey", &[own]),
                    })
                })
            });
            calls.map(|call| call.join().unwrap())
        });
        assert_eq!(answers.iter().filter(|code| *code == "200").count(), 1, "{answers:?}");
        let alive = [&world.alice, &second].map(|key| whoami(Client::new(&world, key)) == "root");
        assert_eq!(alive.iter().filter(|alive| **alive).count(), 1);
    }
}

/// Temporary credentials have no access keys of their own; with a name they may manage those of users.
#[test]
fn a_session_names_a_user() {
    let world = World::new();
    let alice = world.alice();
    let credentials = new_user(&world, "u");
    let account = world.alice.account.as_str();
    let trust = json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": [format!("acs:ram::{account}:root")]}}]});
    alice.ok("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust.to_string())]);
    let full = [("PolicyType", "System"), ("PolicyName", "AliyunRAMFullAccess"), ("RoleName", "r")];
    alice.done("AttachPolicyToRole", &full);
    allow(&world, "u", "assume", "sts:AssumeRole", "*");
    let role = format!("acs:ram::{account}:role/r");
    let user = Client::new(&world, &credentials);
    let session = user.ok("AssumeRole", &[("RoleArn", &role), ("RoleSessionName", "session")]);
    let member = |name: &str| session["Credentials"][name].as_str().unwrap().to_owned();
    let temporary = Credentials {
        account: world.alice.account.clone(),
        id: member("AccessKeyId"),
        secret: member("AccessKeySecret").into_bytes(),
        token: Some(member("SecurityToken")),
    };
    let session = Client::new(&world, &temporary);
    assert_eq!(listed(session, &[("UserName", "u")]), [(credentials.id.clone(), "Active".to_owned())]);
    for action in ["CreateAccessKey", "ListAccessKeys"] {
        let answer = code_of(&session.call(action, &[]));
        assert!(["400 MissingParameter", "403 NoPermission"].contains(&answer.as_str()), "{action}: {answer}");
    }
    assert_eq!(listed(alice, &[]).len(), 1);
}

fn last_used(client: Client<'_>, params: &[(&str, &str)]) -> (String, String) {
    let answer = client.ok("GetAccessKeyLastUsed", params)["AccessKeyLastUsed"].clone();
    let text = |member: &str| answer[member].as_str().unwrap().to_owned();
    (text("LastUsedDate"), text("ServiceName"))
}

#[test]
fn the_last_use_is_told() {
    let world = World::new();
    let (alice, vault) = (world.alice(), &world.service.kms.vault);
    let credentials = new_user(&world, "u");
    let user = Client::new(&world, &credentials);
    let named = [("UserName", "u"), ("UserAccessKeyId", credentials.id.as_str())];
    let flush = || block_on(world.service.last_used.flush(vault)).unwrap();
    let never = (String::new(), String::new());
    assert_eq!(last_used(alice, &named), never);
    world.advance(100);
    user.ok("GetCallerIdentity", &[]);
    let first = (world.timestamp(), "Sts".to_owned());
    assert_eq!(last_used(alice, &named), never);
    flush();
    assert_eq!(last_used(alice, &named), first);
    // To the minute.
    world.advance(59);
    user.refused("ListKeys", &[], "403 Forbidden.NoPermission");
    flush();
    assert_eq!(last_used(alice, &named), first);
    world.advance(1);
    user.refused("ListKeys", &[], "403 Forbidden.NoPermission");
    let second = (world.timestamp(), "Kms".to_owned());
    flush();
    assert_eq!(last_used(alice, &named), second);
    // Whose signature is wrong has not used the access key.
    world.advance(100);
    let thief = Credentials { secret: b"guessed".to_vec(), ..credentials.clone() };
    Client::new(&world, &thief).refused("ListKeys", &[], "400 SignatureDoesNotMatch");
    flush();
    assert_eq!(last_used(alice, &named), second);
    // The account's own.
    let own = [("UserAccessKeyId", world.alice.id.as_str())];
    assert_eq!(last_used(alice, &own).1, "Ram");
    alice.refused("GetAccessKeyLastUsed", &named[1..], "404 EntityNotExist.User.AccessKey");
    alice.refused("GetAccessKeyLastUsed", &[named[0], own[0]], "404 EntityNotExist.User.AccessKey");
}

#[test]
fn last_uses_outlive_a_failing_store_and_no_access_key() {
    let world = World::new();
    let (alice, vault) = (world.alice(), &world.service.kms.vault);
    let uses = LastUsed::default();
    let keys: Vec<Credentials> = (0..50).map(|n| new_user(&world, &format!("u{n}"))).collect();
    let note = |key: &Credentials, at: i64| {
        let record = vault.reading().get::<AccessKeyRecord>(&path::access_key(&key.id)).unwrap();
        if let Some(record) = record {
            uses.note(&record, &key.id, "Kms", Timestamp(at));
        }
    };
    let at = world.now() + 1000;
    for key in &keys {
        note(key, at);
    }
    let gone = &keys[49];
    alice.done("DeleteAccessKey", &[("UserName", "u49"), ("UserAccessKeyId", &gone.id)]);
    world.store.faults().script_commits([Some(CommitFault::Unavailable)]);
    assert!(block_on(uses.flush(vault)).is_err());
    block_on(uses.flush(vault)).unwrap();
    for (n, key) in keys.iter().enumerate().take(49) {
        let (date, service) = last_used(alice, &[("UserName", &format!("u{n}")), ("UserAccessKeyId", &key.id)]);
        assert_eq!((date, service), (Timestamp(at).to_string(), "Kms".to_owned()));
    }
    assert_eq!(world.paths_with(ram_path::last_used(&gone.account, &gone.id).as_str()), [""; 0]);
    // Another process has seen a later use; this one's is not written over it.
    note(&keys[0], at + 100);
    block_on(uses.flush(vault)).unwrap();
    let other = LastUsed::default();
    let stored =
        vault.reading().get::<AccessKeyRecord>(&path::access_key(&keys[0].id)).unwrap().unwrap().stored.clone();
    other.note(&AccessKeyRecord::of(stored), &keys[0].id, "Ram", Timestamp(at + 50));
    block_on(other.flush(vault)).unwrap();
    let (date, service) = last_used(alice, &[("UserName", "u0"), ("UserAccessKeyId", &keys[0].id)]);
    assert_eq!((date, service), (Timestamp(at + 100).to_string(), "Kms".to_owned()));
    // What has been written is not written again.
    let before = world.dump();
    block_on(uses.flush(vault)).unwrap();
    assert!(world.dump() == before);
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let alice = world.alice();
    let own = ("UserAccessKeyId", world.alice.id.as_str());
    for (action, params, expected) in [
        ("UpdateAccessKey", &[own][..], "400 MissingParameter"),
        ("UpdateAccessKey", &[own, ("Status", "active")], "400 InvalidParameter"),
        ("DeleteAccessKey", &[], "400 MissingParameter"),
        ("DeleteAccessKey", &[("UserAccessKeyId", "a/b")], "400 InvalidParameter"),
        ("CreateAccessKey", &[("UserName", "a/b")], "400 InvalidParameter.UserName.InvalidChars"),
        ("CreateAccessKey", &[("UserName", "nobody")], "404 EntityNotExist.User"),
        ("GetAccessKeyLastUsed", &[], "400 MissingParameter"),
    ] {
        alice.refused(action, params, expected);
    }
}
