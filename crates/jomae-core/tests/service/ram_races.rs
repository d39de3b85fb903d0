//! Users, groups and access keys: what another call changes between a decision and its effect is seen.

use std::sync::Arc;

use jomae_api::limits;
use jomae_core::identity::accounts::ROOT_KEYS_MAX;

use crate::{
    common::{Client, Credentials, World, code_of},
    ram_policies::set_counts,
    ram_users::{credentials, new_access_key},
};

/// An action with its parameters.
type Acts = (&'static str, &'static [(&'static str, &'static str)]);

const PASSWORD: (&str, &str) = ("Password", "a-Long-passphrase-9");
const U: (&str, &str) = ("UserName", "u");
const V: (&str, &str) = ("UserName", "v");
const G: (&str, &str) = ("GroupName", "g");
const H: (&str, &str) = ("GroupName", "h");

/// Users `u` and `v`, groups `g` and `h`; with room for one user more and one group more, for one access key of `u`,
/// and for one group of `u`.
fn furnished() -> Arc<World> {
    let world = Arc::new(World::new());
    let alice = world.alice();
    for user in [U, V] {
        alice.ok("CreateUser", &[user]);
    }
    new_access_key(&world, "u");
    for group in [G, H] {
        alice.ok("CreateGroup", &[group]);
    }
    for n in 1..limits::RAM_GROUPS_OF_USER_MAX {
        let group = ("GroupName", &*format!("g{n}"));
        alice.ok("CreateGroup", &[group]);
        alice.done("AddUserToGroup", &[U, group]);
    }
    set_counts(&world, |counts| {
        counts.users = limits::RAM_USERS_MAX - 1;
        counts.groups = limits::RAM_GROUPS_MAX - 1;
    });
    world
}

#[test]
fn what_another_call_changes_is_seen() {
    let cases: [(Acts, Acts, &str); 18] = [
        (("CreateUser", &[("UserName", "x")]), ("CreateUser", &[("UserName", "x")]), "409 EntityAlreadyExists.User"),
        (("CreateUser", &[("UserName", "x")]), ("CreateUser", &[("UserName", "y")]), "409 LimitExceeded.User"),
        (
            ("UpdateUser", &[U, ("NewUserName", "x")]),
            ("UpdateUser", &[V, ("NewUserName", "x")]),
            "409 EntityAlreadyExists.User",
        ),
        (
            ("UpdateUser", &[U, ("NewUserName", "x")]),
            ("CreateUser", &[("UserName", "x")]),
            "409 EntityAlreadyExists.User",
        ),
        (
            ("CreateGroup", &[("GroupName", "x")]),
            ("CreateGroup", &[("GroupName", "x")]),
            "409 EntityAlreadyExists.Group",
        ),
        (("CreateGroup", &[("GroupName", "x")]), ("CreateGroup", &[("GroupName", "y")]), "409 LimitExceeded.Group"),
        (
            ("UpdateGroup", &[G, ("NewGroupName", "x")]),
            ("UpdateGroup", &[H, ("NewGroupName", "x")]),
            "409 EntityAlreadyExists.Group",
        ),
        (("AddUserToGroup", &[U, G]), ("AddUserToGroup", &[U, H]), "409 LimitExceeded.User.Group"),
        (("AddUserToGroup", &[U, G]), ("AddUserToGroup", &[U, G]), "409 EntityAlreadyExists.User.Group"),
        (("AddUserToGroup", &[V, G]), ("DeleteUser", &[V]), "404 EntityNotExist.User"),
        (("AddUserToGroup", &[V, G]), ("DeleteGroup", &[G]), "404 EntityNotExist.Group"),
        (("DeleteGroup", &[G]), ("AddUserToGroup", &[V, G]), "409 DeleteConflict.Group.User"),
        (("DeleteUser", &[V]), ("AddUserToGroup", &[V, G]), "409 DeleteConflict.User.Group"),
        (("DeleteUser", &[V]), ("CreateAccessKey", &[V]), "409 DeleteConflict.User.AccessKey"),
        (("CreateLoginProfile", &[V, PASSWORD]), ("DeleteUser", &[V]), "404 EntityNotExist.User"),
        (("DeleteUser", &[V]), ("CreateLoginProfile", &[V, PASSWORD]), "409 DeleteConflict.User.LoginProfile"),
        (("CreateAccessKey", &[V]), ("DeleteUser", &[V]), "404 EntityNotExist.User"),
        (("CreateAccessKey", &[U]), ("CreateAccessKey", &[U]), "409 LimitExceeded.User.AccessKey"),
    ];
    for ((action, params), (other, others), expected) in cases {
        let world = furnished();
        let elsewhere = Arc::clone(&world);
        world.store.before_next_commit(move || {
            elsewhere.alice().ok(other, others);
        });
        let answer = code_of(&world.alice().call(action, params));
        assert_eq!(answer, expected, "{action} {params:?} and {other} {others:?}");
    }
}

/// A membership, a user and a group are written apart and belong together: neither change is lost.
#[test]
fn both_changes_happen() {
    let world = furnished();
    let elsewhere = Arc::clone(&world);
    world.store.before_next_commit(move || {
        elsewhere.alice().ok("UpdateUser", &[V, ("NewComments", "noted")]);
    });
    world.alice().done("AddUserToGroup", &[V, G]);
    assert_eq!(world.alice().ok("GetUser", &[V])["User"]["Comments"], "noted");
    assert_eq!(world.alice().ok("ListGroupsForUser", &[V])["Groups"]["Group"][0]["GroupName"], "g");
}

#[test]
fn root_access_keys() {
    let another = |world: &World| credentials(world, &world.alice().ok("CreateAccessKey", &[]));
    // Room for one.
    let world = Arc::new(World::new());
    for _ in 2..ROOT_KEYS_MAX {
        another(&world);
    }
    let elsewhere = Arc::clone(&world);
    world.store.before_next_commit(move || {
        elsewhere.alice().ok("CreateAccessKey", &[]);
    });
    world.alice().refused("CreateAccessKey", &[], "409 LimitExceeded.User.AccessKey");
    // Two that rely on each other.
    let off = |world: &World, key: &Credentials, delete: bool| {
        let (client, own) = (Client::new(world, key), ("UserAccessKeyId", key.id.as_str()));
        code_of(&if delete {
            client.call("DeleteAccessKey", &[own])
        } else {
            client.call("UpdateAccessKey", &[own, ("Status", "Inactive")])
        })
    };
    for (one_deletes, other_deletes) in [(false, false), (false, true), (true, false), (true, true)] {
        let world = Arc::new(World::new());
        let (elsewhere, second) = (Arc::clone(&world), another(&world));
        world.store.before_next_commit(move || assert_eq!(off(&elsewhere, &second, other_deletes), "200"));
        assert_eq!(off(&world, &world.alice, one_deletes), "409 DeleteConflict.Account.AccessKey");
        world.alice().ok("GetCallerIdentity", &[]);
    }
}
