//! The refusals of policies, attachments and roles, each produced once for the table of all.

use jomae_api::{error::Refusal, limits};
use jomae_core::service::Reply;

use super::{
    ram_attachments::{HOLDERS, change, create_holder},
    ram_policies::{self, allow, set_counts},
    ram_roles::{SOMEBODY, trust},
};
use crate::common::World;

/// A world in which Alice has a policy, and a user, a group and a role with it.
fn furnished() -> World {
    let world = World::new();
    ram_policies::create(world.alice(), "p");
    ram_policies::create(world.alice(), "free");
    for kind in HOLDERS {
        create_holder(world.alice(), kind, "one");
        assert_eq!(change(world.alice(), "Attach", ("Custom", "p"), (kind, "one")), "200");
    }
    world
}

fn in_furnished(action: &str, params: &[(&str, &str)]) -> Reply {
    furnished().alice().reply(action, params)
}

fn create_policy(name: &str, document: &str, description: &str) -> Reply {
    let params = [("PolicyName", name), ("PolicyDocument", document), ("Description", description)];
    in_furnished("CreatePolicy", &params)
}

/// Attaches to the holder, or detaches from it, one of the account's policies.
fn with_holder(action: &str, holder: &str, policy: &str) -> Reply {
    in_furnished(action, &[("PolicyType", "Custom"), ("PolicyName", policy), (holder, "one")])
}

/// Deletes a policy that only a holder of this kind has.
fn delete_held_by(kind: &str) -> Reply {
    let world = furnished();
    for other in HOLDERS.into_iter().filter(|other| *other != kind) {
        assert_eq!(change(world.alice(), "Detach", ("Custom", "p"), (other, "one")), "200");
    }
    world.alice().reply("DeletePolicy", &[("PolicyName", "p")])
}

/// Attaches to a holder that is full.
fn attach_to_full(kind: &str) -> Reply {
    let world = furnished();
    for number in 1..limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX {
        let name = format!("p{number}");
        ram_policies::create(world.alice(), &name);
        assert_eq!(change(world.alice(), "Attach", ("Custom", &name), (kind, "one")), "200");
    }
    let holder = format!("{kind}Name");
    let params = [("PolicyType", "Custom"), ("PolicyName", "free"), (holder.as_str(), "one")];
    world.alice().reply(&format!("AttachPolicyTo{kind}"), &params)
}

/// The call after so many new versions.
fn after_versions(versions: usize, action: &str, more: &[(&str, &str)]) -> Reply {
    let world = furnished();
    let document = allow("kms:Decrypt");
    for _ in 0..versions {
        world.alice().ok("CreatePolicyVersion", &[("PolicyName", "free"), ("PolicyDocument", &document)]);
    }
    world.alice().reply(action, &[&[("PolicyName", "free")], more].concat())
}

fn full_account(action: &str, params: &[(&str, &str)]) -> Reply {
    let world = World::new();
    set_counts(&world, |counts| {
        counts.policies = limits::RAM_POLICIES_MAX;
        counts.roles = limits::RAM_ROLES_MAX;
    });
    world.alice().reply(action, params)
}

fn create_role(name: &str) -> Reply {
    in_furnished("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust(SOMEBODY))])
}

/// What makes this refusal.
pub fn make(refusal: Refusal) -> Option<fn() -> Reply> {
    const GET: &str = "GetPolicy";
    Some(match refusal {
        Refusal::PolicyNotFound => || in_furnished(GET, &[("PolicyType", "Custom"), ("PolicyName", "q")]),
        Refusal::PolicyNameChars => || in_furnished(GET, &[("PolicyType", "Custom"), ("PolicyName", "a_b")]),
        Refusal::PolicyNameLength => {
            || in_furnished(GET, &[("PolicyType", "Custom"), ("PolicyName", &"x".repeat(129))])
        }
        Refusal::PolicyTypeInvalid => || in_furnished(GET, &[("PolicyType", "All"), ("PolicyName", "p")]),
        Refusal::MalformedPolicyDocument(_) => || create_policy("q", "{}", ""),
        Refusal::PolicyDocumentLength => || create_policy("q", &" ".repeat(6145), ""),
        Refusal::RamDescriptionLength => || create_policy("q", &allow("kms:Encrypt"), &"x".repeat(1025)),
        Refusal::PolicyCost(_) => || create_policy("q", &super::policy_cost::costly(), ""),
        Refusal::PolicyExists => || create_policy("p", &allow("kms:Encrypt"), ""),
        Refusal::PolicyVersionFormat => || after_versions(0, "SetDefaultPolicyVersion", &[("VersionId", "1")]),
        Refusal::PolicyVersionNotFound => || after_versions(0, "SetDefaultPolicyVersion", &[("VersionId", "v2")]),
        Refusal::PolicyVersionIsDefault => || after_versions(0, "DeletePolicyVersion", &[("VersionId", "v1")]),
        Refusal::PolicyHasVersions => || after_versions(1, "DeletePolicy", &[]),
        Refusal::PolicyVersionsLimit => {
            || after_versions(4, "CreatePolicyVersion", &[("PolicyDocument", &allow("kms:Encrypt"))])
        }
        Refusal::PoliciesLimit => {
            || full_account("CreatePolicy", &[("PolicyName", "q"), ("PolicyDocument", &allow("kms:Encrypt"))])
        }
        Refusal::UserPolicyExists => || with_holder("AttachPolicyToUser", "UserName", "p"),
        Refusal::GroupPolicyExists => || with_holder("AttachPolicyToGroup", "GroupName", "p"),
        Refusal::RolePolicyExists => || with_holder("AttachPolicyToRole", "RoleName", "p"),
        Refusal::UserPolicyNotFound => || with_holder("DetachPolicyFromUser", "UserName", "free"),
        Refusal::GroupPolicyNotFound => || with_holder("DetachPolicyFromGroup", "GroupName", "free"),
        Refusal::RolePolicyNotFound => || with_holder("DetachPolicyFromRole", "RoleName", "free"),
        Refusal::PolicyHasUser => || delete_held_by("User"),
        Refusal::PolicyHasGroup => || delete_held_by("Group"),
        Refusal::PolicyHasRole => || delete_held_by("Role"),
        Refusal::UserPoliciesLimit => || attach_to_full("User"),
        Refusal::GroupPoliciesLimit => || attach_to_full("Group"),
        Refusal::RolePoliciesLimit => || attach_to_full("Role"),
        Refusal::RoleNotFound => || in_furnished("GetRole", &[("RoleName", "none")]),
        Refusal::RoleNameChars => || create_role("a_b"),
        Refusal::RoleNameLength => || create_role(&"x".repeat(65)),
        Refusal::RoleExists => || create_role("one"),
        Refusal::RoleHasPolicies => || in_furnished("DeleteRole", &[("RoleName", "one")]),
        Refusal::RolesLimit => {
            || full_account("CreateRole", &[("RoleName", "q"), ("AssumeRolePolicyDocument", &trust(SOMEBODY))])
        }
        _ => return None,
    })
}

#[test]
fn every_refusal_here_is_in_the_table() {
    let made: Vec<_> = Refusal::ALL.iter().filter(|refusal| make(**refusal).is_some()).collect();
    assert_eq!(made.len(), 33);
    for refusal in made {
        let reply = make(*refusal).unwrap()();
        assert_eq!(reply.outcome.refusal.map(|refusal| refusal.code()), Some(refusal.code()), "{refusal:?}");
        assert_eq!(reply.status, refusal.status(), "{refusal:?}");
    }
}
