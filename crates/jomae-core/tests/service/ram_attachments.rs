//! Policies attached to users, groups and roles.

use std::{sync::Barrier, thread};

use jomae_api::limits;
use jomae_core::ram::record::{Attached, PolicyType, RoleRecord, path};
use jomae_sim::block_on;
use serde_json::{Value, json};

use super::{ram_policies, ram_roles};
use crate::common::{Client, Credentials, World, code_of};

/// The kinds of holders: in names of actions and parameters, and the action that makes one.
pub const HOLDERS: [&str; 3] = ["User", "Group", "Role"];

pub fn create_holder(client: Client<'_>, kind: &str, name: &str) {
    match kind {
        "Role" => drop(ram_roles::create(client, name)),
        _ => drop(client.ok(&format!("Create{kind}"), &[(&format!("{kind}Name"), name)])),
    }
}

/// An attachment, made or undone.
pub fn change(client: Client<'_>, change: &str, policy: (&str, &str), to: (&str, &str)) -> String {
    let word = if change == "Attach" { "To" } else { "From" };
    let holder = format!("{}Name", to.0);
    let params = [("PolicyType", policy.0), ("PolicyName", policy.1), (holder.as_str(), to.1)];
    code_of(&client.call(&format!("{change}Policy{word}{}", to.0), &params))
}

fn attach(client: Client<'_>, policy: (&str, &str), to: (&str, &str)) -> String {
    change(client, "Attach", policy, to)
}

fn detach(client: Client<'_>, policy: (&str, &str), from: (&str, &str)) -> String {
    change(client, "Detach", policy, from)
}

/// The rows of a holder's policies.
fn policies(client: Client<'_>, of: (&str, &str)) -> Value {
    let holder = format!("{}Name", of.0);
    client.ok(&format!("ListPoliciesFor{}", of.0), &[(holder.as_str(), of.1)])["Policies"]["Policy"].clone()
}

fn attachments(client: Client<'_>, (kind, name): (&str, &str)) -> Value {
    client.ok("GetPolicy", &[("PolicyType", kind), ("PolicyName", name)])["Policy"]["AttachmentCount"].clone()
}

const OURS: (&str, &str) = ("Custom", "ours");
const ADMIN: (&str, &str) = ("System", "AdministratorAccess");

#[test]
fn attached_and_detached() {
    let world = World::new();
    let alice = world.alice();
    ram_policies::create(alice, "ours");
    let clean = world.dump();
    for kind in HOLDERS {
        create_holder(alice, kind, "one");
        let one = (kind, "one");
        assert_eq!(policies(alice, one), json!([]));
        let mut rows = Vec::new();
        for policy in [OURS, ADMIN] {
            world.advance(1);
            let description =
                alice.ok("GetPolicy", &[("PolicyType", policy.0), ("PolicyName", policy.1)])["Policy"].clone();
            assert_eq!(detach(alice, policy, one), format!("404 EntityNotExist.{kind}.Policy"));
            assert_eq!(attach(alice, policy, one), "200");
            rows.push(json!({
                "PolicyType": policy.0, "PolicyName": policy.1, "AttachDate": world.timestamp(),
                "Description": description["Description"], "DefaultVersion": description["DefaultVersion"],
            }));
            world.advance(1);
            let before = world.dump();
            assert_eq!(attach(alice, policy, one), format!("409 EntityAlreadyExists.{kind}.Policy"));
            assert_eq!(world.dump(), before);
            assert_eq!(policies(alice, one), json!(rows));
            assert_eq!(attachments(alice, policy), 1);
            assert_eq!(attach(alice, policy, (kind, "none")), format!("404 EntityNotExist.{kind}"));
            assert_eq!(detach(alice, policy, (kind, "none")), format!("404 EntityNotExist.{kind}"));
        }
        for policy in [("Custom", "none"), ("System", "none"), ("System", "ours")] {
            assert_eq!(attach(alice, policy, one), "404 EntityNotExist.Policy");
            assert_eq!(detach(alice, policy, one), "404 EntityNotExist.Policy");
        }
        // Whoever has policies stays, and so does a policy that somebody has.
        let name = [(format!("{kind}Name"), "one")];
        let name: Vec<_> = name.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        alice.refused(&format!("Delete{kind}"), &name, &format!("409 DeleteConflict.{kind}.Policy"));
        let expected = format!("409 DeleteConflict.Policy.{kind}");
        alice.refused("DeletePolicy", &[("PolicyName", "ours")], &expected);
        alice.refused("DeletePolicy", &[("PolicyName", "ours"), ("CascadingDelete", "true")], &expected);
        for policy in [OURS, ADMIN] {
            assert_eq!(detach(alice, policy, one), "200");
            assert_eq!(detach(alice, policy, one), format!("404 EntityNotExist.{kind}.Policy"));
            assert_eq!(attachments(alice, policy), 0);
        }
        assert_eq!(policies(alice, one), json!([]));
        alice.done(&format!("Delete{kind}"), &name);
        assert!(world.paths_with("/attached/").is_empty());
    }
    alice.done("DeletePolicy", &[("PolicyName", "ours")]);
    assert!(clean.keys().any(|path| path.ends_with("/ours")) && world.paths_with("/ours").is_empty());
}

#[test]
fn parameters_of_attachments() {
    let world = World::new();
    let alice = world.alice();
    for kind in HOLDERS {
        let holder = format!("{kind}Name");
        let usual = [("PolicyType", "System"), ("PolicyName", "AdministratorAccess"), (holder.as_str(), "one")];
        for action in [format!("AttachPolicyTo{kind}"), format!("DetachPolicyFrom{kind}")] {
            let with = |name: &str, value: &str, expected: &str| {
                let mut params: Vec<_> = usual.iter().copied().filter(|(other, _)| *other != name).collect();
                params.push((name, value));
                alice.refused(&action, &params, expected);
            };
            with("PolicyType", "Any", "400 InvalidParameter.PolicyType");
            with("PolicyName", "a_b", "400 InvalidParameter.PolicyName.InvalidChars");
            with("PolicyName", &"x".repeat(129), "400 InvalidParameter.PolicyName.Length");
            with(&holder, "a b", &format!("400 InvalidParameter.{kind}Name.InvalidChars"));
            with(&holder, &"x".repeat(65), &format!("400 InvalidParameter.{kind}Name.Length"));
            with("ResourceGroupId", "rg-1", "400 InvalidParameter");
            for missing in 0..3 {
                let mut params = usual.to_vec();
                params.remove(missing);
                alice.refused(&action, &params, "400 MissingParameter");
            }
        }
    }
}

#[test]
fn a_holder_has_its_limits() {
    let world = World::new();
    let alice = world.alice();
    for number in 0..=limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX {
        ram_policies::create(alice, &format!("p{number}"));
    }
    for kind in HOLDERS {
        create_holder(alice, kind, "one");
        for number in 0..limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX {
            assert_eq!(attach(alice, ("Custom", &format!("p{number}")), (kind, "one")), "200");
        }
        let over = format!("p{}", limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX);
        assert_eq!(attach(alice, ("Custom", &over), (kind, "one")), format!("409 LimitExceeded.{kind}.Policy"));
        assert_eq!(attach(alice, ADMIN, (kind, "one")), "200", "those of the service are counted by themselves");
        assert_eq!(detach(alice, ADMIN, (kind, "one")), "200");
        assert_eq!(detach(alice, ("Custom", "p0"), (kind, "one")), "200");
        assert_eq!(attach(alice, ("Custom", &over), (kind, "one")), "200");
    }
}

/// There are not yet so many policies of the service that a holder could have too many.
#[test]
fn policies_of_the_service_have_their_limit() {
    let world = World::new();
    let role = ram_roles::create(world.alice(), "one");
    let at = path::role(&world.alice.account, role["RoleId"].as_str().unwrap());
    let attach_with = |already: usize| {
        let mut tx = world.service.kms.vault.writing();
        let mut record = (*tx.get::<RoleRecord>(&at).unwrap().unwrap()).clone();
        let other = |number| Attached { kind: PolicyType::System, name: format!("Other{number}"), at: 0 };
        record.policies = (0..already).map(other).collect();
        tx.put(at.clone(), &record).unwrap();
        block_on(tx.commit()).unwrap();
        attach(world.alice(), ADMIN, ("Role", "one"))
    };
    assert_eq!(attach_with(limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX - 1), "200");
    assert_eq!(attach_with(limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX), "409 LimitExceeded.Role.Policy");
}

#[test]
fn who_has_a_policy() {
    let world = World::new();
    let (alice, account) = (world.alice(), &world.alice.account);
    ram_policies::create(alice, "ours");
    alice.ok("CreateUser", &[("UserName", "u1"), ("DisplayName", "U One")]);
    alice.ok("CreateGroup", &[("GroupName", "g1"), ("Comments", "of all")]);
    let role = ram_roles::create(alice, "r1");
    let user_id = alice.ok("GetUser", &[("UserName", "u1")])["User"]["UserId"].clone();
    for policy in [OURS, ADMIN] {
        let params = [("PolicyType", policy.0), ("PolicyName", policy.1)];
        let nobody = json!({"Users": {"User": []}, "Groups": {"Group": []}, "Roles": {"Role": []}});
        assert_eq!(alice.ok("ListEntitiesForPolicy", &params), nobody);
        for to in [("User", "u1"), ("Group", "g1"), ("Role", "r1")] {
            assert_eq!(attach(alice, policy, to), "200");
        }
        let at = world.timestamp();
        let all = json!({
            "Users": {"User": [{"UserId": user_id, "UserName": "u1", "DisplayName": "U One", "AttachDate": at}]},
            "Groups": {"Group": [{"GroupName": "g1", "Comments": "of all", "AttachDate": at}]},
            "Roles": {"Role": [{
                "RoleId": role["RoleId"], "RoleName": "r1", "Arn": format!("acs:ram::{account}:role/r1"),
                "Description": "", "AttachDate": at,
            }]},
        });
        assert_eq!(alice.ok("ListEntitiesForPolicy", &params), all);
        assert_eq!(attachments(alice, policy), 3);
        assert_eq!(attachments(world.bob(), ADMIN), 0, "each account by itself");
        world.bob().refused(
            "GetPolicy",
            &[("PolicyType", "Custom"), ("PolicyName", "ours")],
            "404 EntityNotExist.Policy",
        );
    }
    // A renamed user keeps its policies, and is listed by the new name.
    alice.ok("UpdateUser", &[("UserName", "u1"), ("NewUserName", "u2")]);
    assert_eq!(policies(alice, ("User", "u2")).as_array().unwrap().len(), 2);
    let entities = alice.ok("ListEntitiesForPolicy", &[("PolicyType", "Custom"), ("PolicyName", "ours")]);
    assert_eq!(entities["Users"]["User"][0]["UserName"], "u2");
    // A list shows at once which version counts.
    let more =
        [("PolicyName", "ours"), ("PolicyDocument", &ram_policies::allow("kms:List*")), ("SetAsDefault", "true")];
    alice.ok("CreatePolicyVersion", &more);
    assert_eq!(policies(alice, ("Role", "r1"))[0]["DefaultVersion"], "v2");
}

/// A user of Alice's with an access key.
fn user(world: &World, name: &str) -> Credentials {
    create_holder(world.alice(), "User", name);
    let made = world.alice().ok("CreateAccessKey", &[("UserName", name)])["AccessKey"].clone();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    Credentials {
        account: world.alice.account.clone(),
        id: text("AccessKeyId"),
        secret: text("AccessKeySecret").into_bytes(),
        token: None,
    }
}

/// What is attached, detached and changed counts from the next call on.
#[test]
fn rights_follow_at_once() {
    let world = World::new();
    let (alice, credentials) = (world.alice(), user(&world, "u"));
    let caller = alice.with(&credentials);
    let may = |action: &str| match code_of(&caller.call(action, &[])).as_str() {
        "200" => true,
        "403 Forbidden.NoPermission" | "403 NoPermission" => false,
        other => panic!("{action}: {other}"),
    };
    ram_policies::create(alice, "ours");
    let mut document = ram_policies::allow("kms:ListKeys");
    alice.ok("CreatePolicyVersion", &[("PolicyName", "ours"), ("PolicyDocument", &document), ("SetAsDefault", "true")]);
    assert!(!may("ListKeys"));
    assert_eq!(attach(alice, OURS, ("User", "u")), "200");
    assert!(may("ListKeys") && !may("ListRoles"));
    document = ram_policies::allow("ram:ListRoles");
    alice.ok("CreatePolicyVersion", &[("PolicyName", "ours"), ("PolicyDocument", &document)]);
    assert!(may("ListKeys") && !may("ListRoles"), "only the default version counts");
    alice.done("SetDefaultPolicyVersion", &[("PolicyName", "ours"), ("VersionId", "v3")]);
    assert!(!may("ListKeys") && may("ListRoles"));
    assert_eq!(detach(alice, OURS, ("User", "u")), "200");
    assert!(!may("ListRoles"));
    // Through a group.
    create_holder(alice, "Group", "g");
    assert_eq!(attach(alice, ADMIN, ("Group", "g")), "200");
    assert!(!may("ListRoles"));
    alice.ok("AddUserToGroup", &[("UserName", "u"), ("GroupName", "g")]);
    assert!(may("ListRoles") && may("ListKeys"));
    assert_eq!(detach(alice, ADMIN, ("Group", "g")), "200");
    assert!(!may("ListRoles") && !may("ListKeys"));
}

/// To attach needs the right on both the holder and the policy.
#[test]
fn attaching_needs_two_rights() {
    let world = World::new();
    let (alice, credentials) = (world.alice(), user(&world, "u"));
    ram_policies::create(alice, "ours");
    ram_policies::create(alice, "theirs");
    for kind in HOLDERS {
        if kind != "User" {
            create_holder(alice, kind, "u");
        }
        let policy = format!("may-{kind}");
        let account = &world.alice.account;
        let (holder, on) = (kind.to_lowercase(), |what: &str| format!("acs:ram:*:{account}:{what}"));
        for (resources, expected) in [
            (vec![on(&format!("{holder}/u"))], "403 NoPermission"),
            (vec![on("policy/ours")], "403 NoPermission"),
            (vec![on("policy/ours"), on(&format!("{holder}/u"))], "200"),
        ] {
            let statement = json!({"Effect": "Allow", "Action": format!("ram:*Policy*{kind}"), "Resource": resources});
            let document = json!({"Version": "1", "Statement": [statement]}).to_string();
            alice.ok("CreatePolicy", &[("PolicyName", &policy), ("PolicyDocument", &document)]);
            assert_eq!(attach(alice, ("Custom", &policy), ("User", "u")), "200");
            let caller = alice.with(&credentials);
            assert_eq!(attach(caller, OURS, (kind, "u")), expected, "{kind} {statement}");
            assert_eq!(detach(caller, OURS, (kind, "u")), expected, "{kind} {statement}");
            for policy in [("Custom", "theirs"), ADMIN, ("System", "ours")] {
                assert_eq!(attach(caller, policy, (kind, "u")), "403 NoPermission", "{kind} {statement}");
            }
            assert_eq!(detach(alice, ("Custom", &policy), ("User", "u")), "200");
            alice.done("DeletePolicy", &[("PolicyName", &policy)]);
        }
    }
}

/// However attaching and deleting meet, no attachment outlives its policy, and the numbers agree.
#[test]
fn attaching_and_deleting_exclude_each_other() {
    let world = World::new();
    let alice = world.alice();
    for kind in HOLDERS {
        create_holder(alice, kind, "one");
    }
    for round in 0..20 {
        let name = format!("p{round}");
        ram_policies::create(alice, &name);
        let start = Barrier::new(4);
        let answers: Vec<String> = thread::scope(|scope| {
            let mut threads: Vec<_> = HOLDERS
                .iter()
                .map(|kind| {
                    let (world, name, start) = (&world, &name, &start);
                    scope.spawn(move || {
                        start.wait();
                        attach(world.alice(), ("Custom", name), (kind, "one"))
                    })
                })
                .collect();
            threads.push(scope.spawn(|| {
                start.wait();
                code_of(&world.alice().call("DeletePolicy", &[("PolicyName", &name)]))
            }));
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let attached = answers[..3].iter().filter(|answer| *answer == "200").count();
        if answers[3] == "200" {
            assert_eq!(attached, 0, "{answers:?}");
            assert!(answers[..3].iter().all(|answer| answer == "404 EntityNotExist.Policy"), "{answers:?}");
        } else {
            assert!(attached > 0 && answers[3].starts_with("409 DeleteConflict.Policy."), "{answers:?}");
            assert_eq!(attachments(alice, ("Custom", &name)), attached);
            for (kind, answer) in HOLDERS.iter().zip(&answers) {
                assert_eq!(answer, "200");
                assert_eq!(detach(alice, ("Custom", &name), (kind, "one")), "200");
            }
            alice.done("DeletePolicy", &[("PolicyName", &name)]);
        }
        assert!(world.paths_with("/attached/").is_empty());
    }
}
