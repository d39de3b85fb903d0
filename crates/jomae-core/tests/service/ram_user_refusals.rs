//! The refusals of users, groups and access keys, each produced once for the table of all.

use jomae_api::{error::Refusal, limits};
use jomae_core::service::Reply;

use crate::{
    common::World,
    ram_policies::set_counts,
    ram_users::{allow, new_user},
};

/// A world in which Alice has a user `u` in a group `g`, a user `v`, and a group `h`, with nothing else.
fn in_furnished(action: &str, params: &[(&str, &str)]) -> Reply {
    furnished().alice().reply(action, params)
}

fn furnished() -> World {
    let world = World::new();
    for user in ["u", "v"] {
        world.alice().ok("CreateUser", &[("UserName", user)]);
    }
    for group in ["g", "h"] {
        world.alice().ok("CreateGroup", &[("GroupName", group)]);
    }
    world.alice().done("AddUserToGroup", &[("UserName", "u"), ("GroupName", "g")]);
    world
}

fn on_user(action: &str, param: &str, value: &str) -> Reply {
    in_furnished(action, &[("UserName", if action == "CreateUser" { "w" } else { "v" }), (param, value)])
}

fn on_group(action: &str, param: &str, value: &str) -> Reply {
    in_furnished(action, &[("GroupName", if action == "CreateGroup" { "i" } else { "h" }), (param, value)])
}

fn long() -> String {
    "x".repeat(129)
}

fn has_access_key() -> Reply {
    let world = World::new();
    new_user(&world, "u");
    world.alice().reply("DeleteUser", &[("UserName", "u")])
}

fn has_access_keys() -> Reply {
    let world = World::new();
    new_user(&world, "u");
    crate::ram_users::new_access_key(&world, "u");
    world.alice().reply("CreateAccessKey", &[("UserName", "u")])
}

fn user_has_policy() -> Reply {
    let world = furnished();
    allow(&world, "v", "p", "kms:*", "*");
    world.alice().reply("DeleteUser", &[("UserName", "v")])
}

fn group_has_policy() -> Reply {
    let world = furnished();
    let policy = [("PolicyType", "System"), ("PolicyName", "AliyunKMSFullAccess"), ("GroupName", "h")];
    world.alice().done("AttachPolicyToGroup", &policy);
    world.alice().reply("DeleteGroup", &[("GroupName", "h")])
}

fn in_many_groups() -> Reply {
    let world = furnished();
    for n in 0..limits::RAM_GROUPS_OF_USER_MAX {
        let group = ("GroupName", &*format!("g{n}"));
        world.alice().ok("CreateGroup", &[group]);
        world.alice().done("AddUserToGroup", &[("UserName", "v"), group]);
    }
    world.alice().reply("AddUserToGroup", &[("UserName", "v"), ("GroupName", "h")])
}

fn account_is_full(action: &str, name: &str) -> Reply {
    let world = World::new();
    set_counts(&world, |counts| {
        counts.users = limits::RAM_USERS_MAX;
        counts.groups = limits::RAM_GROUPS_MAX;
    });
    world.alice().reply(action, &[(name, "one")])
}

fn last_root_key() -> Reply {
    let world = World::new();
    world.alice().reply("DeleteAccessKey", &[("UserAccessKeyId", &world.alice.id)])
}

/// What makes the refusal, if it is one of these.
pub fn make(refusal: Refusal) -> Option<fn() -> Reply> {
    Some(match refusal {
        Refusal::UserNameChars => || in_furnished("GetUser", &[("UserName", "a b")]),
        Refusal::UserNameLength => || in_furnished("GetUser", &[("UserName", &long())]),
        Refusal::NewUserNameChars => || on_user("UpdateUser", "NewUserName", "a b"),
        Refusal::NewUserNameLength => || on_user("UpdateUser", "NewUserName", &long()),
        Refusal::DisplayNameChars => || on_user("CreateUser", "DisplayName", "<"),
        Refusal::DisplayNameLength => || on_user("CreateUser", "DisplayName", &long()),
        Refusal::NewDisplayNameChars => || on_user("UpdateUser", "NewDisplayName", "<"),
        Refusal::NewDisplayNameLength => || on_user("UpdateUser", "NewDisplayName", &long()),
        Refusal::GroupNameChars => || in_furnished("GetGroup", &[("GroupName", "a b")]),
        Refusal::GroupNameLength => || in_furnished("GetGroup", &[("GroupName", &long())]),
        Refusal::NewGroupNameChars => || on_group("UpdateGroup", "NewGroupName", "a b"),
        Refusal::NewGroupNameLength => || on_group("UpdateGroup", "NewGroupName", &long()),
        Refusal::MobilePhoneFormat => || on_user("CreateUser", "MobilePhone", "x"),
        Refusal::NewMobilePhoneFormat => || on_user("UpdateUser", "NewMobilePhone", "x"),
        Refusal::EmailFormat => || on_user("CreateUser", "Email", "x"),
        Refusal::NewEmailFormat => || on_user("UpdateUser", "NewEmail", "x"),
        Refusal::CommentsLength => || on_group("CreateGroup", "Comments", &long()),
        Refusal::NewCommentsLength => || on_group("UpdateGroup", "NewComments", &long()),
        Refusal::UserNotFound => || in_furnished("GetUser", &[("UserName", "w")]),
        Refusal::GroupNotFound => || in_furnished("GetGroup", &[("GroupName", "i")]),
        Refusal::UserAccessKeyNotFound => || on_user("DeleteAccessKey", "UserAccessKeyId", "LTAIx"),
        Refusal::UserNotInGroup => || on_user("RemoveUserFromGroup", "GroupName", "g"),
        Refusal::UserExists => || in_furnished("CreateUser", &[("UserName", "u")]),
        Refusal::GroupExists => || in_furnished("CreateGroup", &[("GroupName", "g")]),
        Refusal::UserInGroup => || in_furnished("AddUserToGroup", &[("UserName", "u"), ("GroupName", "g")]),
        Refusal::UserHasGroups => || in_furnished("DeleteUser", &[("UserName", "u")]),
        Refusal::UserHasAccessKeys => has_access_key,
        Refusal::UserHasPolicies => user_has_policy,
        Refusal::GroupHasUsers => || in_furnished("DeleteGroup", &[("GroupName", "g")]),
        Refusal::GroupHasPolicies => group_has_policy,
        Refusal::UserLimit => || account_is_full("CreateUser", "UserName"),
        Refusal::GroupLimit => || account_is_full("CreateGroup", "GroupName"),
        Refusal::UserGroupLimit => in_many_groups,
        Refusal::UserAccessKeyLimit => has_access_keys,
        Refusal::LastRootAccessKey => last_root_key,
        _ => return None,
    })
}
