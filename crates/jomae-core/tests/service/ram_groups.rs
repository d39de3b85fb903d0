//! Groups of RAM: made, filled, renamed, listed, deleted.

use std::{sync::Barrier, thread};

use jomae_api::limits;
use serde_json::{Value, json};

use crate::{
    common::{Client, World, code_of},
    ram_policies::{counts, set_counts},
    ram_users::{all_pages, new_user, page},
};

const GROUPS: [&str; 3] = ["Groups", "Group", "GroupName"];
const MEMBERS: [&str; 3] = ["Users", "User", "UserName"];

fn get(client: Client<'_>, name: &str) -> Value {
    client.ok("GetGroup", &[("GroupName", name)])["Group"].clone()
}

/// The names of the groups that a user is in.
fn groups_of(client: Client<'_>, user: &str) -> Vec<String> {
    let answer = client.ok("ListGroupsForUser", &[("UserName", user)]);
    let rows = answer["Groups"]["Group"].as_array().unwrap();
    rows.iter().map(|row| row["GroupName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_group_through_its_life() {
    let world = World::new();
    let (alice, before, made_at) = (world.alice(), world.dump(), world.timestamp());
    let made = alice.ok("CreateGroup", &[("GroupName", "Dev-1"), ("Comments", "all who write code")]);
    let id = made["Group"]["GroupId"].as_str().unwrap();
    assert!(id.len() == 18 && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
    let mut group =
        json!({"GroupId": id, "GroupName": "Dev-1", "Comments": "all who write code", "CreateDate": made_at});
    assert_eq!(made["Group"], group);
    group["UpdateDate"] = json!(made_at);
    assert_eq!(get(alice, "Dev-1"), group);
    assert_eq!(counts(&world).groups, 1);
    alice.refused("GetGroup", &[("GroupName", "dev-1")], "404 EntityNotExist.Group");
    alice.refused("CreateGroup", &[("GroupName", "Dev-1")], "409 EntityAlreadyExists.Group");

    world.advance(60);
    group["UpdateDate"] = json!(world.timestamp());
    group["GroupName"] = json!("Ops-1");
    group["Comments"] = json!("");
    let changed = alice.ok("UpdateGroup", &[("GroupName", "Dev-1"), ("NewGroupName", "Ops-1"), ("NewComments", "")]);
    assert_eq!(changed["Group"], group);
    assert_eq!(get(alice, "Ops-1"), group);
    alice.refused("GetGroup", &[("GroupName", "Dev-1")], "404 EntityNotExist.Group");
    alice.ok("CreateGroup", &[("GroupName", "Dev-1")]);
    let taken = [("GroupName", "Ops-1"), ("NewGroupName", "Dev-1")];
    alice.refused("UpdateGroup", &taken, "409 EntityAlreadyExists.Group");
    alice.ok("UpdateGroup", &[("GroupName", "Ops-1"), ("NewGroupName", "Ops-1")]);

    for name in ["Ops-1", "Dev-1"] {
        alice.done("DeleteGroup", &[("GroupName", name)]);
    }
    for action in ["GetGroup", "UpdateGroup", "DeleteGroup", "ListUsersForGroup"] {
        alice.refused(action, &[("GroupName", "Ops-1")], "404 EntityNotExist.Group");
    }
    assert_eq!(counts(&world).groups, 0);
    let left: Vec<_> = world.dump().into_keys().filter(|path| !before.contains_key(path)).collect();
    assert!(left.iter().all(|path| !path.contains("/group")), "{left:?}");
}

#[test]
fn users_come_and_go() {
    let world = World::new();
    let alice = world.alice();
    for user in ["u", "v"] {
        alice.ok("CreateUser", &[("UserName", user), ("DisplayName", "Somebody")]);
    }
    for group in ["z", "a"] {
        alice.ok("CreateGroup", &[("GroupName", group), ("Comments", "notes")]);
    }
    let pair = |user: &'static str, group: &'static str| [("UserName", user), ("GroupName", group)];
    let joined_at = world.timestamp();
    for group in ["z", "a"] {
        alice.done("AddUserToGroup", &pair("u", group));
        alice.refused("AddUserToGroup", &pair("u", group), "409 EntityAlreadyExists.User.Group");
    }
    world.advance(60);
    alice.done("AddUserToGroup", &pair("v", "a"));
    let row = |group: &str| {
        let id = get(alice, group)["GroupId"].clone();
        json!({"GroupId": id, "GroupName": group, "Comments": "notes", "JoinDate": joined_at})
    };
    let listed = alice.ok("ListGroupsForUser", &[("UserName", "u")]);
    assert_eq!(listed, json!({"Groups": {"Group": [row("a"), row("z")]}}));
    let member = |user: &str, at: &str| json!({"UserName": user, "DisplayName": "Somebody", "JoinDate": at});
    let listed = alice.ok("ListUsersForGroup", &[("GroupName", "a")]);
    let rows = json!([member("u", &joined_at), member("v", &world.timestamp())]);
    assert_eq!(listed, json!({"Users": {"User": rows}, "IsTruncated": false}));

    alice.refused("DeleteGroup", &[("GroupName", "a")], "409 DeleteConflict.Group.User");
    alice.done("RemoveUserFromGroup", &pair("u", "a"));
    alice.refused("RemoveUserFromGroup", &pair("u", "a"), "404 EntityNotExist.User.Group");
    assert_eq!(groups_of(alice, "u"), ["z"]);
    assert_eq!(page(alice, "ListUsersForGroup", MEMBERS, &[("GroupName", "a")]).0, ["v"]);
    alice.refused("DeleteGroup", &[("GroupName", "a")], "409 DeleteConflict.Group.User");
    alice.done("RemoveUserFromGroup", &pair("v", "a"));
    alice.done("DeleteGroup", &[("GroupName", "a")]);
    for action in ["AddUserToGroup", "RemoveUserFromGroup"] {
        alice.refused(action, &pair("u", "a"), "404 EntityNotExist.Group");
        alice.refused(action, &pair("w", "z"), "404 EntityNotExist.User");
        world.bob().refused(action, &pair("u", "z"), "404 EntityNotExist.User");
    }
    assert_eq!(world.paths_with("/member/").len(), 1);
}

#[test]
fn a_group_with_policies_stays() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    let policy = [("PolicyType", "System"), ("PolicyName", "AliyunKMSFullAccess"), ("GroupName", "g")];
    alice.done("AttachPolicyToGroup", &policy);
    alice.refused("DeleteGroup", &[("GroupName", "g")], "409 DeleteConflict.Group.Policy");
    alice.done("DetachPolicyFromGroup", &policy);
    alice.done("DeleteGroup", &[("GroupName", "g")]);
}

/// Whoever is in a group may what the group may, from the call after the joining to the one after the leaving.
#[test]
fn a_group_shares_its_rights() {
    let world = World::new();
    let alice = world.alice();
    let credentials = new_user(&world, "u");
    let user = Client::new(&world, &credentials);
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    let policy = [("PolicyType", "System"), ("PolicyName", "AliyunKMSFullAccess"), ("GroupName", "g")];
    alice.done("AttachPolicyToGroup", &policy);
    let pair = [("UserName", "u"), ("GroupName", "g")];
    user.refused("ListKeys", &[], "403 Forbidden.NoPermission");
    for _ in 0..2 {
        alice.done("AddUserToGroup", &pair);
        user.ok("ListKeys", &[]);
        alice.done("RemoveUserFromGroup", &pair);
        user.refused("ListKeys", &[], "403 Forbidden.NoPermission");
    }
}

#[test]
fn groups_and_their_users_are_listed_in_pages() {
    let world = World::new();
    let alice = world.alice();
    let mut names = ["m", "a", "Z", "b-2", "b1"];
    for name in names {
        alice.ok("CreateGroup", &[("GroupName", name)]);
        alice.ok("CreateUser", &[("UserName", name)]);
        alice.done("AddUserToGroup", &[("UserName", name), ("GroupName", "m")]);
    }
    names.sort_unstable();
    for rows_max in 1..=6 {
        assert_eq!(all_pages(alice, "ListGroups", GROUPS, &[], rows_max), names);
        assert_eq!(all_pages(alice, "ListUsersForGroup", MEMBERS, &[("GroupName", "m")], rows_max), names);
    }
    // Kept by ID, listed by the name of the day.
    alice.ok("UpdateUser", &[("UserName", "Z"), ("NewUserName", "zz")]);
    let renamed = all_pages(alice, "ListUsersForGroup", MEMBERS, &[("GroupName", "m")], 2);
    assert_eq!(renamed, ["a", "b-2", "b1", "m", "zz"]);
    assert_eq!(alice.ok("ListGroups", &[("MaxItems", "1")])["Groups"]["Group"][0], get(alice, "Z"));
    assert_eq!(world.bob().ok("ListGroups", &[]), json!({"Groups": {"Group": []}, "IsTruncated": false}));
}

#[test]
fn quotas_of_groups() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateUser", &[("UserName", "u")]);
    let names: Vec<String> = (0..=limits::RAM_GROUPS_OF_USER_MAX).map(|n| format!("g{n:02}")).collect();
    for name in &names {
        alice.ok("CreateGroup", &[("GroupName", name)]);
    }
    let (last, others) = names.split_last().unwrap();
    for name in others {
        alice.done("AddUserToGroup", &[("UserName", "u"), ("GroupName", name)]);
    }
    let over = [("UserName", "u"), ("GroupName", last.as_str())];
    alice.refused("AddUserToGroup", &over, "409 LimitExceeded.User.Group");
    assert_eq!(groups_of(alice, "u"), others);
    set_counts(&world, |counts| counts.groups = limits::RAM_GROUPS_MAX);
    alice.refused("CreateGroup", &[("GroupName", "over")], "409 LimitExceeded.Group");
    alice.done("DeleteGroup", &[("GroupName", last)]);
    alice.ok("CreateGroup", &[("GroupName", "over")]);
    alice.refused("CreateGroup", &[("GroupName", "more")], "409 LimitExceeded.Group");
}

/// A user who joins while the group is deleted is in a group, or the group is gone; never in a group that is gone.
#[test]
fn joining_races_with_deleting() {
    for _ in 0..20 {
        let world = World::new();
        world.alice().ok("CreateUser", &[("UserName", "u")]);
        world.alice().ok("CreateGroup", &[("GroupName", "g")]);
        let barrier = Barrier::new(3);
        let answers = thread::scope(|scope| {
            let calls = [
                ("AddUserToGroup", &[("UserName", "u"), ("GroupName", "g")][..]),
                ("DeleteGroup", &[("GroupName", "g")][..]),
                ("DeleteUser", &[("UserName", "u")][..]),
            ]
            .map(|(action, params)| {
                let (world, barrier) = (&world, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    code_of(&world.alice().call(action, params))
                })
            });
            calls.map(|call| call.join().unwrap())
        });
        let [joined, group_gone, user_gone] = answers.each_ref().map(|code| code == "200");
        assert!(if joined { !group_gone && !user_gone } else { group_gone || user_gone }, "{answers:?}");
        assert_eq!(counts(&world).groups, u32::from(!group_gone));
        assert_eq!(counts(&world).users, u32::from(!user_gone));
        assert_eq!(world.paths_with("/member/").len(), usize::from(joined));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    let (long_name, long_text) = ("n".repeat(65), "t".repeat(129));
    for (param, value, code) in [
        ("GroupName", "a.b", "GroupName.InvalidChars"),
        ("GroupName", &long_name, "GroupName.Length"),
        ("Comments", &long_text, "Comments.Length"),
    ] {
        let mut params = vec![("GroupName", "h"), (param, value)];
        params.retain(|(name, other)| *name != param || *other == value);
        alice.refused("CreateGroup", &params, &format!("400 InvalidParameter.{code}"));
        let new = format!("New{param}");
        alice.refused("UpdateGroup", &[("GroupName", "g"), (&new, value)], &format!("400 InvalidParameter.New{code}"));
    }
    for action in ["CreateGroup", "AddUserToGroup", "ListUsersForGroup"] {
        alice.refused(action, &[], "400 MissingParameter");
    }
    assert_eq!(page(alice, "ListGroups", GROUPS, &[]).0, ["g"]);
}
