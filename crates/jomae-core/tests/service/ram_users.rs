//! Users of RAM: made, found, renamed, listed, deleted.

use std::{sync::Barrier, thread};

use jomae_api::limits;
use serde_json::{Value, json};

use crate::{
    common::{Client, Credentials, World, code_of},
    ram_policies::{counts, set_counts},
};

/// A new user of Alice's, with an access key.
pub fn new_user(world: &World, name: &str) -> Credentials {
    world.alice().ok("CreateUser", &[("UserName", name)]);
    new_access_key(world, name)
}

/// A further access key of a user of Alice's.
pub fn new_access_key(world: &World, name: &str) -> Credentials {
    credentials(world, &world.alice().ok("CreateAccessKey", &[("UserName", name)]))
}

/// What an answer of `CreateAccessKey` to one of Alice's account lets its holder sign with.
pub fn credentials(world: &World, answer: &Value) -> Credentials {
    let member = |name: &str| answer["AccessKey"][name].as_str().unwrap().to_owned();
    let secret = member("AccessKeySecret").into_bytes();
    Credentials { account: world.alice.account.clone(), id: member("AccessKeyId"), secret, token: None }
}

/// A policy of Alice's that allows this, attached to a user.
pub fn allow(world: &World, user: &str, policy: &str, action: &str, resource: &str) {
    let document = json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]});
    let custom = [("PolicyType", "Custom"), ("PolicyName", policy)];
    world.alice().ok("CreatePolicy", &[("PolicyName", policy), ("PolicyDocument", &document.to_string())]);
    world.alice().done("AttachPolicyToUser", &[&custom[..], &[("UserName", user)]].concat());
}

/// The names in a page, and the marker of the next one.
pub fn page(
    client: Client<'_>,
    action: &str,
    path: [&str; 3],
    params: &[(&str, &str)],
) -> (Vec<String>, Option<String>) {
    let answer = client.ok(action, params);
    let rows = answer[path[0]][path[1]].as_array().unwrap();
    let names = rows.iter().map(|row| row[path[2]].as_str().unwrap().to_owned()).collect();
    let marker = answer.get("Marker").map(|marker| marker.as_str().unwrap().to_owned());
    assert_eq!(answer["IsTruncated"], marker.is_some());
    (names, marker)
}

/// All names of a list, taken in pages of this many rows.
pub fn all_pages(
    client: Client<'_>,
    action: &str,
    path: [&str; 3],
    with: &[(&str, &str)],
    rows_max: usize,
) -> Vec<String> {
    let rows = rows_max.to_string();
    let (mut all, mut marker): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let mut params = [with, &[("MaxItems", rows.as_str())]].concat();
        params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let (names, next) = page(client, action, path, &params);
        assert!(names.len() <= rows_max && (next.is_none() || names.len() == rows_max));
        all.extend(names);
        marker = next;
        if marker.is_none() {
            return all;
        }
    }
}

const USERS: [&str; 3] = ["Users", "User", "UserName"];

fn get(client: Client<'_>, name: &str) -> Value {
    client.ok("GetUser", &[("UserName", name)])["User"].clone()
}

#[test]
fn a_user_through_its_life() {
    let world = World::new();
    let (alice, before, made_at) = (world.alice(), world.dump(), world.timestamp());
    let made = alice.ok(
        "CreateUser",
        &[
            ("UserName", "Zhang.Qiang@dev"),
            ("DisplayName", "张 强"),
            ("MobilePhone", "86-18600008888"),
            ("Email", "zhang@example.com"),
            ("Comments", "writes <code> & \"tests\""),
        ],
    );
    let id = made["User"]["UserId"].as_str().unwrap();
    assert!(id.len() == 18 && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
    let mut user = json!({
        "UserId": id, "UserName": "Zhang.Qiang@dev", "DisplayName": "张 强", "MobilePhone": "86-18600008888",
        "Email": "zhang@example.com", "Comments": "writes <code> & \"tests\"", "CreateDate": made_at,
    });
    assert_eq!(made["User"], user);
    user["UpdateDate"] = json!(made_at);
    assert_eq!(get(alice, "Zhang.Qiang@dev"), user);
    assert_eq!(counts(&world).users, 1);
    // Names are case-sensitive.
    alice.refused("GetUser", &[("UserName", "zhang.qiang@dev")], "404 EntityNotExist.User");

    world.advance(60);
    let later = world.timestamp();
    let changed = alice.ok(
        "UpdateUser",
        &[
            ("UserName", "Zhang.Qiang@dev"),
            ("NewDisplayName", "Z"),
            ("NewMobilePhone", "10086"),
            ("NewEmail", "z@example.com"),
            ("NewComments", "left"),
        ],
    );
    for (member, new) in
        [("DisplayName", "Z"), ("MobilePhone", "10086"), ("Email", "z@example.com"), ("Comments", "left")]
    {
        user[member] = json!(new);
    }
    user["UpdateDate"] = json!(later);
    assert_eq!(changed["User"], user);
    // Empty takes away.
    let name = ("UserName", "Zhang.Qiang@dev");
    alice.ok(
        "UpdateUser",
        &[name, ("NewMobilePhone", ""), ("NewEmail", ""), ("NewComments", ""), ("NewDisplayName", "")],
    );
    for member in ["DisplayName", "MobilePhone", "Email", "Comments"] {
        user[member] = json!("");
    }
    assert_eq!(get(alice, "Zhang.Qiang@dev"), user);

    alice.done("DeleteUser", &[name]);
    for action in ["GetUser", "UpdateUser", "DeleteUser", "ListAccessKeys", "CreateAccessKey", "ListGroupsForUser"] {
        alice.refused(action, &[name], "404 EntityNotExist.User");
    }
    assert_eq!(counts(&world).users, 0);
    let left: Vec<_> = world.dump().into_keys().filter(|path| !before.contains_key(path)).collect();
    assert!(left.iter().all(|path| !path.contains("/user")), "{left:?}");
    // Somebody else under the old name is somebody else.
    let again = alice.ok("CreateUser", &[name]);
    assert_ne!(again["User"]["UserId"], id);
    assert_eq!(again["User"]["DisplayName"], "");
}

#[test]
fn a_renamed_user_stays_the_same() {
    let world = World::new();
    let alice = world.alice();
    let credentials = new_user(&world, "old");
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    alice.done("AddUserToGroup", &[("UserName", "old"), ("GroupName", "g")]);
    allow(&world, "old", "lists", "kms:ListKeys", "*");
    let user = Client::new(&world, &credentials);
    user.ok("ListKeys", &[]);
    let before = get(alice, "old");
    alice.ok("CreateUser", &[("UserName", "taken")]);
    let to = |name: &'static str| [("UserName", "old"), ("NewUserName", name)];
    alice.refused("UpdateUser", &to("taken"), "409 EntityAlreadyExists.User");
    // One's own name is no other's.
    alice.ok("UpdateUser", &to("old"));
    let renamed = alice.ok("UpdateUser", &to("new"));
    assert_eq!(renamed["User"]["UserName"], "new");
    assert_eq!(get(alice, "new")["UserId"], before["UserId"]);
    alice.refused("GetUser", &[("UserName", "old")], "404 EntityNotExist.User");
    // Rights, groups and access keys went along.
    user.ok("ListKeys", &[]);
    let arn = user.ok("GetCallerIdentity", &[])["Arn"].clone();
    assert_eq!(arn, format!("acs:ram::{}:user/new", world.alice.account));
    let (members, _) = page(alice, "ListUsersForGroup", USERS, &[("GroupName", "g")]);
    assert_eq!(members, ["new"]);
    assert_eq!(alice.ok("ListPoliciesForUser", &[("UserName", "new")])["Policies"]["Policy"][0]["PolicyName"], "lists");
    assert_eq!(
        alice.ok("ListAccessKeys", &[("UserName", "new")])["AccessKeys"]["AccessKey"][0]["AccessKeyId"],
        credentials.id
    );
    // The old name is free.
    alice.ok("CreateUser", &[("UserName", "old")]);
    assert_eq!(alice.ok("ListAccessKeys", &[("UserName", "old")]), json!({"AccessKeys": {"AccessKey": []}}));
}

/// Policies may name users: whoever may rename only some users may give them only such names.
#[test]
fn renaming_needs_both_names() {
    let world = World::new();
    let alice = world.alice();
    let credentials = new_user(&world, "hr");
    let some = format!("acs:ram:*:{}:user/dev-*", world.alice.account);
    allow(&world, "hr", "renames", "ram:UpdateUser", &some);
    let hr = Client::new(&world, &credentials);
    for name in ["dev-1", "admin-1"] {
        alice.ok("CreateUser", &[("UserName", name)]);
    }
    hr.ok("UpdateUser", &[("UserName", "dev-1"), ("NewUserName", "dev-2")]);
    for (old, new) in [("dev-2", "admin-2"), ("admin-1", "dev-3"), ("hr", "dev-4")] {
        hr.refused("UpdateUser", &[("UserName", old), ("NewUserName", new)], "403 NoPermission");
    }
    // Who may not ask does not learn who is there.
    for name in ["admin-1", "nobody"] {
        hr.refused("UpdateUser", &[("UserName", name)], "403 NoPermission");
        hr.refused("GetUser", &[("UserName", name)], "403 NoPermission");
    }
    hr.refused("UpdateUser", &[("UserName", "dev-9")], "404 EntityNotExist.User");
}

#[test]
fn a_user_who_has_something_stays() {
    let world = World::new();
    let alice = world.alice();
    let credentials = new_user(&world, "u");
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    alice.done("AddUserToGroup", &[("UserName", "u"), ("GroupName", "g")]);
    allow(&world, "u", "p", "kms:*", "*");
    let user = ("UserName", "u");
    alice.refused("DeleteUser", &[user], "409 DeleteConflict.User.AccessKey");
    // An inactive access key is one too.
    let key = ("UserAccessKeyId", credentials.id.as_str());
    alice.done("UpdateAccessKey", &[user, key, ("Status", "Inactive")]);
    alice.refused("DeleteUser", &[user], "409 DeleteConflict.User.AccessKey");
    alice.done("DeleteAccessKey", &[user, key]);
    alice.refused("DeleteUser", &[user], "409 DeleteConflict.User.Policy");
    alice.done("DetachPolicyFromUser", &[("PolicyType", "Custom"), ("PolicyName", "p"), user]);
    alice.refused("DeleteUser", &[user], "409 DeleteConflict.User.Group");
    alice.done("RemoveUserFromGroup", &[user, ("GroupName", "g")]);
    alice.done("DeleteUser", &[user]);
}

#[test]
fn users_are_listed_by_name_in_pages() {
    let world = World::new();
    let alice = world.alice();
    assert_eq!(alice.ok("ListUsers", &[]), json!({"Users": {"User": []}, "IsTruncated": false}));
    let mut names = ["m", "a", "Z", "b-2", "b_1", "b.3", "b@4", "zz"];
    for name in names {
        alice.ok("CreateUser", &[("UserName", name)]);
    }
    names.sort_unstable();
    for rows_max in 1..=9 {
        assert_eq!(all_pages(alice, "ListUsers", USERS, &[], rows_max), names);
    }
    let (first, marker) = page(alice, "ListUsers", USERS, &[("MaxItems", "3")]);
    // The row at which the page ended is gone; the next page goes on behind where it was.
    alice.done("DeleteUser", &[("UserName", &first[2])]);
    let (second, _) = page(alice, "ListUsers", USERS, &[("MaxItems", "3"), ("Marker", &marker.unwrap())]);
    assert_eq!(second, names[3..6]);
    let row = alice.ok("ListUsers", &[("MaxItems", "1")])["Users"]["User"][0].clone();
    assert_eq!(row, get(alice, "Z"));
    // Nobody else's.
    assert_eq!(world.bob().ok("ListUsers", &[])["Users"]["User"], json!([]));
    world.bob().refused("GetUser", &[("UserName", "a")], "404 EntityNotExist.User");
    world.bob().ok("CreateUser", &[("UserName", "a")]);
    world.bob().done("DeleteUser", &[("UserName", "a")]);
    alice.ok("GetUser", &[("UserName", "a")]);
}

/// More names than one scan of the store returns.
#[test]
fn a_long_list_has_long_pages() {
    let world = World::new();
    let alice = world.alice();
    let names: Vec<String> = (0..1030).map(|n| format!("u{n:04}")).collect();
    for name in &names {
        alice.ok("CreateUser", &[("UserName", name)]);
    }
    let (first, marker) = page(alice, "ListUsers", USERS, &[("MaxItems", "1000")]);
    assert_eq!(first, names[..1000]);
    let (rest, end) = page(alice, "ListUsers", USERS, &[("MaxItems", "1000"), ("Marker", &marker.unwrap())]);
    assert_eq!((rest, end), (names[1000..].to_vec(), None));
    let (usual, _) = page(alice, "ListUsers", USERS, &[]);
    assert_eq!(usual, names[..100]);
}

/// Of many who make the same user one does, and of many who make the last one too.
#[test]
fn makers_race() {
    for (quota, users, expected) in [
        (false, ["same", "same", "same"], "409 EntityAlreadyExists.User"),
        (true, ["a", "b", "c"], "409 LimitExceeded.User"),
    ] {
        let world = World::new();
        if quota {
            set_counts(&world, |counts| counts.users = limits::RAM_USERS_MAX - 1);
        }
        let before = counts(&world).users;
        let barrier = Barrier::new(users.len());
        let mut answers: Vec<String> = thread::scope(|scope| {
            let calls = users.map(|name| {
                let (world, barrier) = (&world, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    code_of(&world.alice().call("CreateUser", &[("UserName", name)]))
                })
            });
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        answers.sort_unstable();
        assert_eq!(answers, ["200", expected, expected]);
        assert_eq!(counts(&world).users, before + 1);
        assert_eq!(page(world.alice(), "ListUsers", USERS, &[]).0.len(), 1);
    }
}

/// Of many who rename different users to one name one does, and nobody is lost.
#[test]
fn renamers_race() {
    let world = World::new();
    let names = ["a", "b", "c"];
    for name in names {
        world.alice().ok("CreateUser", &[("UserName", name)]);
    }
    let barrier = Barrier::new(names.len());
    let done = thread::scope(|scope| {
        let calls = names.map(|name| {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                barrier.wait();
                code_of(&world.alice().call("UpdateUser", &[("UserName", name), ("NewUserName", "x")]))
            })
        });
        calls.into_iter().map(|call| call.join().unwrap()).filter(|code| code == "200").count()
    });
    assert_eq!(done, 1);
    let (left, _) = page(world.alice(), "ListUsers", USERS, &[]);
    assert!(left.len() == 3 && left.contains(&"x".to_owned()), "{left:?}");
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateUser", &[("UserName", "u")]);
    let (long_name, long_text) = ("n".repeat(65), "t".repeat(129));
    for (param, value, code) in [
        ("UserName", "a/b", "UserName.InvalidChars"),
        ("UserName", &long_name, "UserName.Length"),
        ("DisplayName", "a\u{0}b", "DisplayName.InvalidChars"),
        ("DisplayName", &long_text, "DisplayName.Length"),
        ("MobilePhone", "call me", "MobilePhone.Format"),
        ("Email", "nowhere", "Email.Format"),
        ("Comments", &long_text, "Comments.Length"),
    ] {
        let mut params = vec![("UserName", "v"), (param, value)];
        params.retain(|(name, other)| *name != param || *other == value);
        alice.refused("CreateUser", &params, &format!("400 InvalidParameter.{code}"));
        let new = format!("New{param}");
        alice.refused("UpdateUser", &[("UserName", "u"), (&new, value)], &format!("400 InvalidParameter.New{code}"));
    }
    alice.refused("CreateUser", &[], "400 MissingParameter");
    alice.refused("ListUsers", &[("MaxItems", "0")], "400 InvalidParameter");
    alice.refused("ListUsers", &[("Marker", "*")], "400 InvalidParameter");
    assert_eq!(page(alice, "ListUsers", USERS, &[]).0, ["u"]);
}

/// Where somebody can be reached stands in no event.
#[test]
fn the_log_has_no_address() {
    let world = World::new();
    let reach = [("MobilePhone", "86-18612345678"), ("Email", "canary@example.com")];
    world.alice().ok("CreateUser", &[&[("UserName", "u"), ("DisplayName", "shown")][..], &reach].concat());
    let reach = [("NewMobilePhone", "86-18612345678"), ("NewEmail", "canary@example.com")];
    world.alice().ok("UpdateUser", &[&[("UserName", "u")][..], &reach].concat());
    let log = world.audit.text();
    assert!(log.contains("CreateUser") && log.contains("UpdateUser") && log.contains("shown"));
    assert!(!log.contains("18612345678") && !log.contains("canary"), "{log}");
}
