//! The budget of a decision: policies that could exceed it are refused when they are written or attached, and a decision
//! that does is a denial.

use jomae_api::{limits, policy::Form};
use jomae_core::ram::record::{PolicyRecord, path as ram_path};
use serde_json::{Value, json};

use crate::common::{Client, HELLO, World, document, trust};

const REFUSED: &str = "409 LimitExceeded.Policy.Cost";

/// A statement that costs some 90,000 steps of a decision about a long encryption context for each pattern.
fn statement(patterns: usize, effect: &str) -> Value {
    let patterns: Vec<String> = (0..patterns).map(|at| format!("*{}b*", "a?".repeat(60 + at))).collect();
    json!({ "Effect": effect, "Action": "kms:Encrypt", "Resource": "*",
        "Condition": { "StringLike": { "kms:EncryptionContext/k": patterns } } })
}

/// The document of a policy that nobody can have.
pub fn costly() -> String {
    document(&[statement(20, "Deny")])
}

/// A policy that costs more than a third of the budget, and less than a half.
fn third() -> String {
    document(&[statement(5, "Deny")])
}

/// The policy of a key that costs too much.
pub fn key_policy() -> String {
    let mut statement = statement(4, "Allow");
    statement["Principal"] = json!({ "RAM": ["acs:ram::1234567890123456:root"] });
    document(&[statement])
}

/// A context that makes such patterns fit nearly everywhere.
fn context() -> String {
    json!({ "k": "a".repeat(8100) }).to_string()
}

fn encrypts(client: &Client<'_>, key: &str) -> jomae_core::service::Reply {
    client.reply("Encrypt", &[("KeyId", key), ("Plaintext", HELLO), ("EncryptionContext", &context())])
}

#[test]
fn the_message_says_the_budget_and_the_cost() {
    let world = World::new();
    let reply = world.alice().reply("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &costly())]);
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    let message = answer["Message"].as_str().unwrap();
    let steps: Vec<u64> = message.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(steps[..], [cost, budget] if cost > budget && budget == limits::POLICY_STEPS_MAX), "{message}");
}

#[test]
fn what_is_written_or_attached() {
    let world = World::new();
    let alice = world.alice();
    alice.refused("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &costly())], REFUSED);
    for name in ["a", "b", "c"] {
        alice.policy(name, &third());
    }
    alice.refused("CreatePolicyVersion", &[("PolicyName", "a"), ("PolicyDocument", &costly())], REFUSED);
    alice.ok("CreateUser", &[("UserName", "u")]);
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    let trusted = trust(&[&format!("acs:ram::{}:user/u", world.alice.account)]);
    alice.ok("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trusted)]);
    for (kind, name) in [("User", "u"), ("Group", "g"), ("Role", "r")] {
        alice.attach("a", (kind, name));
        alice.attach("b", (kind, name));
        let third = [("PolicyType", "Custom"), ("PolicyName", "c"), (&format!("{kind}Name") as &str, name)];
        alice.refused(&format!("AttachPolicyTo{kind}"), &third, REFUSED);
    }
    // A user has what its groups have.
    let membership = [("UserName", "u"), ("GroupName", "g")];
    alice.refused("AddUserToGroup", &membership, REFUSED);
    alice.detach("a", ("User", "u"));
    alice.detach("b", ("User", "u"));
    alice.done("AddUserToGroup", &membership);
    let third = [("PolicyType", "Custom"), ("PolicyName", "c"), ("UserName", "u")];
    alice.refused("AttachPolicyToUser", &third, REFUSED);
    // What costs nothing to speak of is no matter.
    alice.attach_system("AdministratorAccess", ("User", "u"));
    // A session has what its role has.
    let user = alice.access_key("u");
    let params = |policy: &str| {
        let arn = format!("acs:ram::{}:role/r", world.alice.account);
        [("RoleArn", arn), ("RoleSessionName", "session".to_owned()), ("Policy", policy.to_owned())]
    };
    let free = document(&[json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })]);
    for (policy, refused) in [(free, false), (document(&[statement(3, "Allow")]), true)] {
        let params = params(&policy);
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if refused {
            alice.with(&user).refused("AssumeRole", &params, REFUSED);
        } else {
            alice.with(&user).ok("AssumeRole", &params);
        }
    }
}

#[test]
fn policies_of_keys_and_roles() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let refused = "400 Rejected.LimitExceeded.Policy";
    alice.refused("SetKeyPolicy", &[("KeyId", &key), ("Policy", &key_policy())], refused);
    alice.refused("CreateKey", &[("Policy", &key_policy())], refused);
    let patterns: Vec<String> = (0..100).map(|at| format!("*{}b*", "a?".repeat(5 + at % 3))).collect();
    let costly = document(&[json!({ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "RAM": ["acs:ram::1234567890123456:root"] },
        "Condition": { "StringLike": { "sts:ExternalId": patterns } } })]);
    assert!(costly.len() < Form::Trust.bytes_max());
    alice.refused("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", &costly)], REFUSED);
    alice.ok(
        "CreateRole",
        &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust(&["acs:ram::1234567890123456:root"]))],
    );
    alice.refused("UpdateRole", &[("RoleName", "r"), ("NewAssumeRolePolicyDocument", &costly)], REFUSED);
}

/// What no check has seen: a policy from an older release, which allows everything and denies what nobody can find out.
#[test]
fn a_decision_beyond_the_budget_is_a_denial() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user("u");
    alice.attach_system("AdministratorAccess", ("User", "u"));
    alice.policy("p", &third());
    alice.attach("p", ("User", "u"));
    assert_eq!(encrypts(&alice.with(&user), &key).status, 200);
    let at = ram_path::policy(&world.alice.account, "p");
    world.write(|tx| {
        let mut record = (*tx.get::<PolicyRecord>(&at).unwrap().unwrap()).clone();
        record.versions[0].document = costly();
        tx.put(at.clone(), &record).unwrap();
    });
    // Something of RAM has to change, as it has since that release.
    alice.user("v");
    let reply = encrypts(&alice.with(&user), &key);
    let denial = reply.outcome.denial.unwrap();
    assert_eq!((reply.status, denial.too_costly), (403, true));
    assert!(denial.reason.contains(&format!("{} steps", limits::DECISION_STEPS_MAX)), "{denial}");
    // The account itself, a short context and other actions are not concerned.
    assert_eq!(encrypts(&alice, &key).status, 200);
    alice.with(&user).encrypt(&key);
    alice.with(&user).describe(&key);
}
