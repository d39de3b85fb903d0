//! Roles of RAM: made, changed, listed, deleted.

use std::{collections::BTreeSet, sync::Barrier, thread};

use jomae_api::limits;
use jomae_core::ram::record::{NameRecord, RoleRecord, path};
use serde_json::{Value, json};

use super::ram_policies::{counts, set_counts};
use crate::common::{Client, World, code_of};

/// Trusts this principal.
pub fn trust(principal: &str) -> String {
    let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": [principal]}});
    json!({"Version": "1", "Statement": [statement]}).to_string()
}

pub const SOMEBODY: &str = "acs:ram::1234567890123456:root";

pub fn create(client: Client<'_>, name: &str) -> Value {
    client.ok("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust(SOMEBODY))])["Role"].clone()
}

fn record(world: &World, name: &str) -> RoleRecord {
    let (mut tx, account) = (world.service.kms.vault.reading(), &world.alice.account);
    let named = tx.get::<NameRecord>(&path::name(account, path::Entity::Role, name)).unwrap().unwrap();
    (*tx.get::<RoleRecord>(&path::role(account, &named.id)).unwrap().unwrap()).clone()
}

#[test]
fn a_role_through_its_life() {
    let world = World::new();
    let (alice, account) = (world.alice(), &world.alice.account);
    let (made_at, document) = (world.timestamp(), trust(SOMEBODY));
    let made = alice.ok(
        "CreateRole",
        &[
            ("RoleName", "Deployer.1"),
            ("AssumeRolePolicyDocument", &document),
            ("Description", "für Neues"),
            ("MaxSessionDuration", "43200"),
            ("AllowConsoleLogin", "false"),
        ],
    );
    let id = made["Role"]["RoleId"].as_str().unwrap();
    assert!(id.len() == 18 && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
    let mut role = json!({
        "RoleId": id, "RoleName": "Deployer.1", "Arn": format!("acs:ram::{account}:role/Deployer.1"),
        "AssumeRolePolicyDocument": document, "Description": "für Neues", "MaxSessionDuration": 43200,
        "CreateDate": made_at, "UpdateDate": made_at, "AllowConsoleLogin": false,
    });
    assert_eq!(made, json!({ "Role": role }));
    assert_eq!(alice.ok("GetRole", &[("RoleName", "Deployer.1")]), made);
    for absent in ["deployer.1", "Deployer"] {
        alice.refused("GetRole", &[("RoleName", absent)], "404 EntityNotExist.Role");
    }
    world.bob().refused("GetRole", &[("RoleName", "Deployer.1")], "404 EntityNotExist.Role");
    world.advance(60);
    // Each given part changes, and nothing else.
    let other = trust("acs:ram::1234567890123456:user/bob");
    for (param, member, value, wire, epoch) in [
        ("NewDescription", "Description", json!(""), "", 0),
        ("NewDescription", "Description", json!("x"), "x", 0),
        ("NewMaxSessionDuration", "MaxSessionDuration", json!(3600), "3600", 0),
        ("NewAssumeRolePolicyDocument", "AssumeRolePolicyDocument", json!(other), other.as_str(), 1),
        ("NewAssumeRolePolicyDocument", "AssumeRolePolicyDocument", json!(other), other.as_str(), 1),
        ("NewAssumeRolePolicyDocument", "AssumeRolePolicyDocument", json!(document), document.as_str(), 2),
    ] {
        role[member] = value;
        role["UpdateDate"] = json!(world.timestamp());
        let answer = alice.ok("UpdateRole", &[("RoleName", "Deployer.1"), (param, wire)]);
        assert_eq!(answer, json!({ "Role": role }), "{param}");
        assert_eq!(record(&world, "Deployer.1").trust_epoch, epoch, "{param}");
    }
    world.advance(60);
    let unchanged = alice.ok("UpdateRole", &[("RoleName", "Deployer.1"), ("NewDescription", "x")]);
    assert_eq!(unchanged, json!({ "Role": role }), "nothing new is no change");
    assert_eq!(counts(&world).roles, 1);
    alice.done("DeleteRole", &[("RoleName", "Deployer.1")]);
    alice.refused("DeleteRole", &[("RoleName", "Deployer.1")], "404 EntityNotExist.Role");
    assert_eq!(counts(&world).roles, 0);
    assert_eq!(world.paths_with("/role"), Vec::<String>::new());
    // One of the same name is another one.
    assert_ne!(create(alice, "Deployer.1")["RoleId"], *id);
}

#[test]
fn what_is_refused() {
    let world = World::new();
    let alice = world.alice();
    create(alice, "r");
    let before = world.dump();
    let good = trust(SOMEBODY);
    let long = "x".repeat(65);
    for (name, expected) in [
        ("r", "409 EntityAlreadyExists.Role"),
        ("a b", "400 InvalidParameter.RoleName.InvalidChars"),
        ("a_b", "400 InvalidParameter.RoleName.InvalidChars"),
        ("a/b", "400 InvalidParameter.RoleName.InvalidChars"),
        (&long, "400 InvalidParameter.RoleName.Length"),
    ] {
        alice.refused("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &good)], expected);
    }
    let over = format!("{good}{}", " ".repeat(4096));
    for document in ["x", "{}", &good.replace("Allow", "May"), &good.replace("Principal", "Resource"), &over] {
        let expected = "400 MalformedPolicyDocument";
        alice.refused("CreateRole", &[("RoleName", "q"), ("AssumeRolePolicyDocument", document)], expected);
        alice.refused("UpdateRole", &[("RoleName", "r"), ("NewAssumeRolePolicyDocument", document)], expected);
    }
    let text = "é".repeat(limits::RAM_DESCRIPTION_CHARS_MAX + 1);
    for (param, bad, expected) in [
        ("MaxSessionDuration", "3599", "400 InvalidParameter"),
        ("MaxSessionDuration", "43201", "400 InvalidParameter"),
        ("AllowConsoleLogin", "true", "400 InvalidParameter"),
        ("Description", &text, "400 InvalidParameter.Description.Length"),
    ] {
        let params = [("RoleName", "q"), ("AssumeRolePolicyDocument", &good), (param, bad)];
        alice.refused("CreateRole", &params, expected);
        alice.refused("UpdateRole", &[("RoleName", "r"), (&format!("New{param}"), bad)], expected);
    }
    let tagged = [("RoleName", "q"), ("AssumeRolePolicyDocument", good.as_str()), ("Tag.1.Key", "a")];
    alice.refused("CreateRole", &tagged, "400 InvalidParameter");
    alice.refused("CreateRole", &[("RoleName", "q")], "400 MissingParameter");
    alice.refused("CreateRole", &[("AssumeRolePolicyDocument", &good)], "400 MissingParameter");
    for action in ["GetRole", "UpdateRole", "DeleteRole", "ListPoliciesForRole"] {
        alice.refused(action, &[("RoleName", "q")], "404 EntityNotExist.Role");
        alice.refused(action, &[], "400 MissingParameter");
    }
    assert_eq!(world.dump(), before);
    assert_eq!(alice.ok("GetRole", &[("RoleName", "r")])["Role"]["MaxSessionDuration"], 3600, "unless given");
}

#[test]
fn lists_have_pages() {
    let world = World::new();
    let alice = world.alice();
    let mut names = BTreeSet::new();
    for number in 0..11 {
        let name = format!("{}r{number}", if number % 2 == 0 { "A." } else { "" });
        create(alice, &name);
        names.insert(name);
    }
    create(world.bob(), "of-bob");
    for size in [1usize, 3, 10, 11, 1000] {
        let (mut seen, mut marker) = (Vec::new(), None::<String>);
        loop {
            let size = size.to_string();
            let mut params = vec![("MaxItems", size.as_str())];
            params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let answer = alice.ok("ListRoles", &params);
            for row in answer["Roles"]["Role"].as_array().unwrap() {
                assert!(row.get("AssumeRolePolicyDocument").is_none());
                seen.push(row["RoleName"].as_str().unwrap().to_owned());
            }
            marker = answer.get("Marker").map(|marker| marker.as_str().unwrap().to_owned());
            assert_eq!(answer["IsTruncated"], marker.is_some());
            if marker.is_none() {
                break;
            }
        }
        assert!(seen.iter().eq(&names), "pages of {size}: {seen:?}");
    }
    alice.refused("ListRoles", &[("MaxItems", "0")], "400 InvalidParameter");
    alice.refused("ListRoles", &[("Marker", "!")], "400 InvalidParameter");
    alice.refused("ListRoles", &[("Tag.1.Key", "a")], "400 InvalidParameter");
}

#[test]
fn one_of_many_gets_the_name_and_the_last_place() {
    let world = World::new();
    let race = |name: fn(usize) -> String| {
        let start = Barrier::new(6);
        let answers: Vec<String> = thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|number| {
                    let (world, start) = (&world, &start);
                    scope.spawn(move || {
                        start.wait();
                        let (name, trust) = (name(number), trust(SOMEBODY));
                        let params = [("RoleName", name.as_str()), ("AssumeRolePolicyDocument", &trust)];
                        code_of(&world.alice().call("CreateRole", &params))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| *answer == "200").count(), 1, "{answers:?}");
        answers.into_iter().filter(|answer| answer != "200").collect::<BTreeSet<_>>()
    };
    assert_eq!(race(|_| "same".to_owned()), BTreeSet::from(["409 EntityAlreadyExists.Role".to_owned()]));
    set_counts(&world, |counts| counts.roles = limits::RAM_ROLES_MAX - 1);
    assert_eq!(race(|number| format!("n{number}")), BTreeSet::from(["409 LimitExceeded.Role".to_owned()]));
    assert_eq!(counts(&world).roles, limits::RAM_ROLES_MAX);
}
