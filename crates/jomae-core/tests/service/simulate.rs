//! Simulations against the service itself: what is foretold is what then happens.

use std::collections::BTreeSet;

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::{
    access::simulate::{
        Answer, AttachTo, PrincipalName, Proposal, Question, SimulateError, Standpoint,
        replay::{Replay, ReplayReport},
        simulate, would_allow,
    },
    identity::person,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{Client, HELLO, World, allow, code_of, document, region, trust};

fn question(principal: &str, permission: &str, resource: Option<&str>) -> Question {
    Question {
        principal: PrincipalName::from_wire(principal).expect("a principal"),
        permission: permission.to_owned(),
        resource: resource.map(str::to_owned),
        context: [].into_iter().collect(),
        source_ip: Some("203.0.113.7".to_owned()),
        now: Timestamp(crate::common::START),
        resource_tags: None,
        request_tags: None,
        external_id: None,
        region: region("cn-hangzhou"),
    }
}

/// Sets what a condition looks at.
type Set = fn(&mut Question);

fn ask(world: &World, question: &Question, proposal: Option<&Proposal>) -> Result<Answer, SimulateError> {
    simulate(&mut world.service.kms.vault.reading(), question, proposal)
}

fn allowed(world: &World, principal: &str, permission: &str, resource: &str) -> bool {
    let simulated = ask(world, &question(principal, permission, Some(resource)), None).unwrap().allowed;
    // What is offered to the user is the same.
    if let Some((account, user)) = principal.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":user/")) {
        let vault = &world.service.kms.vault;
        let caller = person(vault, &AccountId::new(account).unwrap(), Some(user)).unwrap().unwrap();
        let region = region("cn-hangzhou");
        let at = Standpoint { region: &region, source_ip: "203.0.113.7", now: Timestamp(crate::common::START) };
        let offered = would_allow(&mut vault.reading(), &caller, (permission, Some(resource)), at).unwrap();
        assert_eq!(offered.is_ok(), simulated, "{permission} on {resource}: {offered:?}");
    }
    simulated
}

/// Goes through the events of this second.
fn replayed(world: &World, document: &str, place: AttachTo) -> ReplayReport {
    let now = Timestamp(world.now());
    let proposal = Proposal::new(document, place).unwrap();
    let mut replay = Replay::new(&world.service.kms.vault, world.alice.account.clone(), (now, now), proposal).unwrap();
    for line in world.audit.text().lines() {
        replay.event(line.as_bytes()).unwrap();
    }
    replay.finish()
}

/// A call, and each permission that it needs with what it needs it on.
struct Told {
    action: &'static str,
    params: Vec<(&'static str, String)>,
    needs: Vec<(&'static str, String)>,
}

fn calls(world: &World, keys: [&str; 2]) -> Vec<Told> {
    let account = &world.alice.account;
    let alice = world.alice();
    let arns = keys.map(|key| world.place(key).arn());
    let context = r#"{"tenant":"a"}"#;
    let encrypted = alice.ok("Encrypt", &[("KeyId", keys[0]), ("Plaintext", HELLO), ("EncryptionContext", context)]);
    let blob = encrypted["CiphertextBlob"].as_str().unwrap().to_owned();
    let plain = alice.encrypt(keys[1]);
    let alias = format!("acs:kms:cn-hangzhou:{account}:alias/one");
    let kms = |what: &str| format!("acs:kms:cn-hangzhou:{account}:{what}");
    let ram = |what: &str| format!("acs:ram:*:{account}:{what}");
    let told = |action, params: &[(&'static str, &str)], needs: &[(&'static str, &str)]| Told {
        action,
        params: params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        needs: needs.iter().map(|(permission, on)| (*permission, (*on).to_owned())).collect(),
    };
    vec![
        told("Encrypt", &[("KeyId", keys[0]), ("Plaintext", HELLO)], &[("kms:Encrypt", &arns[0])]),
        told("Encrypt", &[("KeyId", "alias/one"), ("Plaintext", HELLO)], &[("kms:Encrypt", &arns[0])]),
        told("Encrypt", &[("KeyId", &arns[1]), ("Plaintext", HELLO)], &[("kms:Encrypt", &arns[1])]),
        told("Decrypt", &[("CiphertextBlob", &plain)], &[("kms:Decrypt", &arns[1])]),
        told("GenerateDataKey", &[("KeyId", keys[0])], &[("kms:GenerateDataKey", &arns[0])]),
        told("DescribeKey", &[("KeyId", keys[1])], &[("kms:DescribeKey", &arns[1])]),
        told("ListKeys", &[], &[("kms:ListKeys", &kms("key"))]),
        told("ListAliases", &[], &[("kms:ListAliases", &kms("alias"))]),
        told(
            "UpdateAlias",
            &[("AliasName", "alias/one"), ("KeyId", keys[0])],
            &[("kms:UpdateAlias", &alias), ("kms:UpdateAlias", &arns[0])],
        ),
        told(
            "ReEncrypt",
            &[("CiphertextBlob", &plain), ("DestinationKeyId", keys[0])],
            &[("kms:ReEncryptFrom", &arns[1]), ("kms:ReEncryptTo", &arns[0])],
        ),
        told(
            "ReEncrypt",
            &[("CiphertextBlob", &blob), ("SourceEncryptionContext", context), ("DestinationKeyId", keys[1])],
            &[],
        ),
        told("Decrypt", &[("CiphertextBlob", &blob), ("EncryptionContext", context)], &[]),
        told(
            "TagResources",
            &[
                ("RegionId", "cn-hangzhou"),
                ("ResourceType", "key"),
                ("ResourceId.1", keys[0]),
                ("ResourceId.2", keys[1]),
                ("Tag.1.Key", "team"),
                ("Tag.1.Value", "orders"),
            ],
            &[("kms:TagResources", &arns[0]), ("kms:TagResources", &arns[1])],
        ),
        told("DescribeAccountKmsStatus", &[], &[("kms:DescribeAccountKmsStatus", &kms("*"))]),
        told("GetUser", &[("UserName", "ann")], &[("ram:GetUser", &ram("user/ann"))]),
        told("ListUsers", &[], &[("ram:ListUsers", &ram("user/*"))]),
        told("GetPolicy", &[("PolicyName", "p0"), ("PolicyType", "Custom")], &[("ram:GetPolicy", &ram("policy/p0"))]),
        told("LookupEvents", &[], &[("actiontrail:LookupEvents", &format!("acs:actiontrail:cn-hangzhou:{account}:*"))]),
        told("GetCallerIdentity", &[], &[("sts:GetCallerIdentity", "*")]),
        told(
            "AssumeRole",
            &[("RoleArn", &format!("acs:ram::{account}:role/r")), ("RoleSessionName", "some")],
            &[("sts:AssumeRole", &format!("acs:ram::{account}:role/r"))],
        ),
    ]
}

fn policies(world: &World, keys: [&str; 2]) -> Vec<String> {
    let arns = keys.map(|key| world.place(key).arn());
    let statement = |effect: &str, action: Value, resource: &str, condition: Option<Value>| {
        let mut statement = json!({ "Effect": effect, "Action": action, "Resource": resource });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    };
    let all = || statement("Allow", json!("*"), "*", None);
    let tenant = json!({ "StringEquals": { "kms:EncryptionContext/tenant": "a" } });
    let source = json!({ "NotIpAddress": { "acs:SourceIp": "203.0.113.0/24" } });
    vec![
        document(&[all()]),
        document(&[statement("Allow", json!("kms:*"), &arns[0], None)]),
        document(&[statement("Allow", json!(["kms:Decrypt", "kms:ReEncrypt*"]), "*", Some(tenant.clone()))]),
        document(&[all(), statement("Deny", json!("kms:*"), &arns[1], None)]),
        document(&[all(), statement("Deny", json!("kms:Encrypt"), "*", Some(source))]),
        document(&[statement("Allow", json!(["ram:*", "sts:*"]), "*", None)]),
        document(&[statement("Allow", json!("kms:*"), "acs:kms:*:*:key/*", None)]),
        document(&[all(), statement("Deny", json!("kms:Decrypt"), "*", Some(tenant))]),
        document(&[all(), statement("Deny", json!(["kms:Tag*", "kms:UpdateAlias"]), &arns[0], None)]),
    ]
}

/// Every call as Ann; which of them are denied.
fn denials(ann: Client<'_>, calls: &[Told]) -> BTreeSet<usize> {
    let call = |told: &Told| {
        let params: Vec<(&str, &str)> = told.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let code = code_of(&ann.call(told.action, &params));
        assert!(
            matches!(code.as_str(), "200" | "403 Forbidden.NoPermission" | "403 NoPermission"),
            "{} {code}",
            told.action
        );
        code != "200"
    };
    calls.iter().enumerate().filter(|(_, told)| call(told)).map(|(at, _)| at).collect()
}

/// For each pair of policies: the calls under one, the replay with the other, and the same calls under the other. What
/// the replay and the single questions say is what happens.
#[test]
fn what_is_foretold_happens() {
    let world = World::new();
    let alice = world.alice();
    let (first, second) = (world.key(), world.key());
    let keys = [first.as_str(), second.as_str()];
    alice.done("CreateAlias", &[("AliasName", "alias/one"), ("KeyId", &first)]);
    let user = alice.user("ann");
    let ann = alice.with(&user);
    let principal = format!("acs:ram::{}:user/ann", world.alice.account);
    alice.role_with("r", &trust(&[&principal]), &allow(&["kms:Encrypt"], "*"));
    let policies = policies(&world, keys);
    let names: Vec<String> = (0..policies.len()).map(|n| format!("p{n}")).collect();
    for (name, policy) in names.iter().zip(&policies) {
        alice.policy(name, policy);
    }
    let calls = calls(&world, keys);
    let mut changes = 0;
    for (was, name) in names.iter().enumerate() {
        alice.attach(name, ("User", "ann"));
        world.advance(1);
        let before = world.audit.len();
        let denied = denials(ann, &calls);
        let ids: Vec<String> = world.audit.events()[before..]
            .iter()
            .map(|(event, _)| event["eventId"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), calls.len());
        for (at, told) in calls.iter().enumerate().filter(|(_, told)| !told.needs.is_empty()) {
            let all = told.needs.iter().all(|(permission, on)| allowed(&world, &principal, permission, on));
            assert_eq!(all, !denied.contains(&at), "{} {:?} under {}", told.action, told.params, policies[was]);
        }
        let place = AttachTo::InsteadOf(name.clone());
        let foretold: Vec<ReplayReport> =
            policies.iter().map(|policy| replayed(&world, policy, place.clone())).collect();
        for (next, outcome) in foretold.into_iter().enumerate() {
            alice.detach(name, ("User", "ann"));
            alice.attach(&names[next], ("User", "ann"));
            let denied_then = denials(ann, &calls);
            alice.detach(&names[next], ("User", "ann"));
            alice.attach(name, ("User", "ann"));
            let indices = |changes: &[jomae_core::access::simulate::replay::Change]| -> BTreeSet<usize> {
                changes.iter().map(|change| ids.iter().position(|id| *id == change.event_id).unwrap()).collect()
            };
            let what = format!("{} -> {}", policies[was], policies[next]);
            assert_eq!(indices(&outcome.denied), &denied_then - &denied, "{what}");
            assert_eq!(indices(&outcome.allowed), &denied - &denied_then, "{what}");
            assert_eq!((outcome.unknown, outcome.changed_already, outcome.callers_gone), (0, 0, 0), "{what}");
            assert_eq!(outcome.calls, outcome.decided);
            changes += outcome.denied_total + outcome.allowed_total;
        }
        alice.detach(name, ("User", "ann"));
    }
    assert!(changes > 300, "the policies differ: {changes}");
}

#[test]
fn why() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let arn = world.place(&key).arn();
    alice.user_with("ann", &allow(&["kms:Encrypt"], &arn));
    let account = &world.alice.account;
    let ann = format!("acs:ram::{account}:user/ann");
    let answer = ask(&world, &question(&ann, "kms:encrypt", Some(&arn)), None).unwrap();
    assert!(answer.allowed);
    assert_eq!((answer.permission, answer.reason.as_str()), ("kms:Encrypt", "of-ann, statement 1, allows it"));
    assert!(answer.notes[0].contains("default key policy"), "{:?}", answer.notes);
    let answer = ask(&world, &question(&ann, "kms:Decrypt", Some(&arn)), None).unwrap();
    assert_eq!((answer.allowed, answer.reason.as_str()), (false, "no statement allows it"));

    // The same words as in the operator's log.
    alice.policy("never", &document(&[json!({ "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*" })]));
    alice.attach("never", ("User", "ann"));
    let answer = ask(&world, &question(&ann, "kms:Encrypt", Some(&arn)), None).unwrap();
    assert_eq!(answer.reason, "explicit deny in policy never, statement 1");
    let layers: Vec<(&str, String)> = answer
        .layers
        .iter()
        .map(|layer| (layer.policy.as_str(), layer.statements.iter().map(ToString::to_string).collect()))
        .collect();
    assert!(layers.contains(&("of-ann", "Statement 1 allows".to_owned())), "{layers:?}");
    assert!(layers.contains(&("never", "Statement 1 denies".to_owned())), "{layers:?}");

    // The account itself, and a key that is not there.
    let root = format!("acs:ram::{account}:root");
    assert!(ask(&world, &question(&root, "kms:Decrypt", Some(&arn)), None).unwrap().allowed);
    let gone = format!("acs:kms:cn-hangzhou:{account}:key/none");
    let answer = ask(&world, &question(&root, "kms:Decrypt", Some(&gone)), None).unwrap();
    assert!(answer.notes[0].contains("not there"), "{:?}", answer.notes);
    // What acts on nothing by name needs none.
    let answer = ask(&world, &question(&ann, "kms:ListKeys", None), None).unwrap();
    assert_eq!(answer.resource, format!("acs:kms:cn-hangzhou:{account}:key"));
    assert!(ask(&world, &question(&ann, "sts:GetCallerIdentity", None), None).unwrap().allowed);
}

#[test]
fn conditions_are_what_is_given() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("Tags", r#"[{"TagKey":"team","TagValue":"orders"}]"#)]);
    let arn = world.place(&key).arn();
    let ann = format!("acs:ram::{}:user/ann", world.alice.account);
    alice.user("ann");
    let proposal = |condition: Value| {
        let policy =
            document(&[json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition })]);
        Proposal::new(&policy, AttachTo::Principal).unwrap()
    };
    let context = json!({ "StringEquals": { "kms:EncryptionContext/tenant": "a" } });
    let tag = json!({ "StringEquals": { "acs:ResourceTag/team": "orders" } });
    let request_tag = json!({ "StringEquals": { "acs:RequestTag/team": "orders" } });
    let source = json!({ "IpAddress": { "acs:SourceIp": "198.51.100.0/24" } });
    let time = json!({ "DateLessThan": { "acs:CurrentTime": "2026-01-01T00:00:00Z" } });
    let cases: [(&Value, Set, bool); 9] = [
        (&context, |_| {}, false),
        (&context, |q| q.context = [("tenant".to_owned(), "a".to_owned())].into_iter().collect(), true),
        (&tag, |_| {}, true),
        (&tag, |q| q.resource_tags = Some([("team".to_owned(), "ledger".to_owned())].into_iter().collect()), false),
        (&request_tag, |_| {}, false),
        (
            &request_tag,
            |q| q.request_tags = Some([("team".to_owned(), "orders".to_owned())].into_iter().collect()),
            true,
        ),
        (&source, |q| q.source_ip = Some("198.51.100.9".to_owned()), true),
        (&source, |q| q.source_ip = None, false),
        (&time, |q| q.now = Timestamp(1_700_000_000), true),
    ];
    for (condition, set, expected) in cases {
        let mut question = question(&ann, "kms:Encrypt", Some(&arn));
        set(&mut question);
        let answer = ask(&world, &question, Some(&proposal(condition.clone()))).unwrap();
        assert_eq!(answer.allowed, expected, "{condition}: {}", answer.reason);
    }
}

#[test]
fn roles_and_other_accounts() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let arn = world.place(&key).arn();
    let carl = format!("acs:ram::{}:user/carl", world.bob.account);
    let role = alice.role_with("r", &trust(&[&carl]), &allow(&["kms:Decrypt"], &arn));
    assert!(allowed(&world, &role, "kms:Decrypt", &arn));
    assert!(!allowed(&world, &role, "kms:Encrypt", &arn));
    bob.user_with("carl", &allow(&["sts:AssumeRole", "kms:*"], "*"));
    bob.user("dora");
    let dora = format!("acs:ram::{}:user/dora", world.bob.account);
    assert!(allowed(&world, &carl, "sts:AssumeRole", &role));
    assert!(!allowed(&world, &dora, "sts:AssumeRole", &role));
    let answer = ask(&world, &question(&carl, "kms:Encrypt", Some(&arn)), None).unwrap();
    assert_eq!(answer.reason, "the key policy of the other account does not allow it");
    let policy = document(&[json!({
        "Effect": "Allow", "Principal": { "RAM": [carl] }, "Action": ["kms:*"], "Resource": ["*"],
    })]);
    alice.done("SetKeyPolicy", &[("KeyId", &key), ("Policy", &policy)]);
    assert!(allowed(&world, &carl, "kms:Encrypt", &arn));
    assert!(!allowed(&world, &carl, "kms:DisableKey", &arn), "others use a key, they do not manage it");
    assert!(!allowed(&world, &carl, "kms:ListKeys", &format!("acs:kms:cn-hangzhou:{}:key", world.alice.account)));
}

#[test]
fn questions_without_an_answer() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    alice.user("ann");
    let arn = world.place(&key).arn();
    let account = &world.alice.account;
    let ann = format!("acs:ram::{account}:user/ann");
    let error = |principal: &str, permission: &str, resource: Option<&str>, proposal: Option<&Proposal>| {
        ask(&world, &question(principal, permission, resource), proposal).unwrap_err().to_string()
    };
    assert!(error(&ann, "kms:Nothing", Some(&arn), None).contains("kms:Nothing"));
    assert!(error(&ann, "kms:Decrypt", None, None).contains("a key"));
    assert!(error(&ann, "kms:Decrypt", Some(&key), None).contains("full name"));
    assert!(error(&format!("acs:ram::{account}:user/none"), "kms:Decrypt", Some(&arn), None).contains("user none"));
    assert!(error(&format!("acs:ram::{account}:role/none"), "kms:Decrypt", Some(&arn), None).contains("role none"));
    assert!(error("acs:ram::1234567890123456:root", "kms:Decrypt", Some(&arn), None).contains("1234567890123456"));
    let everything = allow(&["*"], "*");
    let instead = |name: &str| Proposal::new(&everything, AttachTo::InsteadOf(name.to_owned())).unwrap();
    assert!(error(&ann, "kms:Decrypt", Some(&arn), Some(&instead("none"))).contains("no policy none"));
    let held = error(&ann, "kms:Decrypt", Some(&arn), Some(&instead("AdministratorAccess")));
    assert!(held.contains("user/ann does not have the policy AdministratorAccess"), "{held}");
    let root = format!("acs:ram::{account}:root");
    let added = Proposal::new(&everything, AttachTo::Principal).unwrap();
    assert!(error(&root, "kms:Decrypt", Some(&arn), Some(&added)).contains("the account itself"));
    let wrong = r#"{"Version":"1","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}"#;
    let wrong = Proposal::new(wrong, AttachTo::Principal).err().unwrap().to_string();
    assert!(wrong.contains("Statement 1: Effect"), "{wrong}");
    for principal in ["", "ann", "acs:ram::12:user/ann", &format!("{ann}/x"), &format!("acs:ram::{account}:group/g")] {
        assert_eq!(PrincipalName::from_wire(principal), None, "{principal}");
    }
}

/// A key has one name: under that of another service nothing is told of it, whether it is there or not.
#[test]
fn keys_are_not_named_by_another_service() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    alice.user_with("ann", &allow(&["kms:*", "actiontrail:*"], "*"));
    let user = format!("acs:ram::{}:user/ann", world.alice.account);
    let asked = |service: &str, id: &str| {
        let name = format!("acs:{service}:cn-hangzhou:{}:key/{id}", world.alice.account);
        ask(&world, &question(&user, "kms:Decrypt", Some(&name)), None).is_ok()
    };
    assert!(asked("kms", &key));
    assert!(!asked("actiontrail", &key));
    assert!(!asked("actiontrail", "01a22672-7508-7a09-9685-579c46617dfc"));
}

#[test]
fn a_replay_looks_at_whom_the_proposal_concerns() {
    let world = World::new();
    let (alice, bob, key) = (world.alice(), world.bob(), world.key());
    let arn = world.place(&key).arn();
    let users = ["ann", "ben", "cid"].map(|name| alice.user_with(name, &allow(&["kms:Encrypt"], "*")));
    let carl = format!("acs:ram::{}:user/carl", world.bob.account);
    let role = alice.role_with("r", &trust(&[&carl]), &allow(&["kms:Encrypt"], "*"));
    let bobs = bob.user_with("carl", &allow(&["sts:AssumeRole", "kms:*"], "*"));
    let session = bob.with(&bobs).assume(&role, &[]);
    alice.ok("CreateGroup", &[("GroupName", "g")]);
    alice.done("AddUserToGroup", &[("UserName", "ben"), ("GroupName", "g")]);
    world.advance(1);
    let encrypt = |client: Client<'_>| code_of(&client.call("Encrypt", &[("KeyId", &arn), ("Plaintext", HELLO)]));
    for who in [&users[0], &users[1], &users[2], &session, &world.alice] {
        assert_eq!(encrypt(alice.with(who)), "200");
    }
    assert_ne!(encrypt(bob.with(&bobs)), "200");
    alice.refused("Encrypt", &[("KeyId", "alias/none"), ("Plaintext", HELLO)], "404 Forbidden.AliasNotFound");
    let deny = document(&[json!({ "Effect": "Deny", "Action": "kms:*", "Resource": "*" })]);
    let holder = |text: &str| AttachTo::principal(text).unwrap();
    for (place, whom) in [
        (holder("user/ann"), "user/ann"),
        (holder("group/g"), "user/ben"),
        (holder("role/r"), "assumed-role/r/"),
        (AttachTo::InsteadOf("of-cid".to_owned()), "user/cid"),
    ] {
        let outcome = replayed(&world, &deny, place);
        // Bob's call is not one of this account's principals.
        assert_eq!((outcome.calls, outcome.decided, outcome.denied_total), (6, 1, 1), "{whom}");
        let change = &outcome.denied[0];
        assert!(change.principal.contains(whom), "{}", change.principal);
        assert_eq!((change.permission, change.resource.as_str()), ("kms:Encrypt", arn.as_str()));
        assert!(!change.reason.is_empty() && change.time == Timestamp(world.now()));
    }
    // Whoever is gone cannot be asked; what was already taken away is not the proposal's doing.
    alice.detach("of-ann", ("User", "ann"));
    let outcome = replayed(&world, &deny, holder("user/ann"));
    assert_eq!((outcome.denied_total, outcome.changed_already), (0, 1));
    assert!(
        AttachTo::principal("ann").is_none()
            && AttachTo::principal("team/x").is_none()
            && AttachTo::principal("user/").is_none()
    );
    let now = Timestamp(world.now());
    let nobody = Proposal::new(&deny, holder("user/none")).unwrap();
    assert!(Replay::new(&world.service.kms.vault, world.alice.account.clone(), (now, now), nobody).is_err());
}

#[test]
fn an_alias_that_moved_means_the_key_of_then() {
    let world = World::new();
    let (alice, first, second) = (world.alice(), world.key(), world.key());
    alice.done("CreateAlias", &[("AliasName", "alias/a"), ("KeyId", &first)]);
    let user = alice.user_with("ann", &allow(&["kms:*"], "*"));
    world.advance(1);
    alice.with(&user).ok("Encrypt", &[("KeyId", "alias/a"), ("Plaintext", HELLO)]);
    alice.done("UpdateAlias", &[("AliasName", "alias/a"), ("KeyId", &second)]);
    let only = |key: &str| allow(&["kms:*"], &world.place(key).arn());
    let place = || AttachTo::InsteadOf("of-ann".to_owned());
    assert_eq!(replayed(&world, &only(&first), place()).denied_total, 0);
    let outcome = replayed(&world, &only(&second), place());
    assert_eq!(outcome.denied[0].resource, world.place(&first).arn());
    // What was asked beside the proposal, so that whoever may not read it can be told nothing.
    assert_eq!(outcome.policies, BTreeSet::from(["of-ann".to_owned()]));
}

/// What the event of a denied call names may be the one key or the other: that is said, not guessed.
#[test]
fn what_an_event_does_not_tell_is_counted() {
    let world = World::new();
    let (alice, key) = (world.alice(), world.key());
    let user = alice.user_with("ann", &allow(&["kms:ReEncryptTo"], "*"));
    let blob = alice.encrypt(&key);
    world.advance(1);
    let call = [("CiphertextBlob", blob.as_str()), ("DestinationKeyId", key.as_str())];
    alice.with(&user).refused("ReEncrypt", &call, "403 Forbidden.NoPermission");
    let outcome = replayed(&world, &allow(&["*"], "*"), AttachTo::InsteadOf("of-ann".to_owned()));
    assert_eq!((outcome.calls, outcome.unknown, outcome.allowed_total), (1, 1, 0));
}

#[test]
fn lines_that_are_no_calls_are_passed_over() {
    let world = World::new();
    let proposal =
        || Proposal::new(&allow(&["*"], "*"), AttachTo::InsteadOf("AdministratorAccess".to_owned())).unwrap();
    let range = (Timestamp(0), Timestamp(i64::MAX));
    let mut replay = Replay::new(&world.service.kms.vault, world.alice.account.clone(), range, proposal()).unwrap();
    let account = world.alice.account.as_str();
    for line in [
        String::new(),
        "nonsense".to_owned(),
        "{}".to_owned(),
        json!({ "userIdentity": { "accountId": account } }).to_string(),
        json!({ "userIdentity": { "accountId": account }, "eventType": "ApiCall", "eventTime": "yesterday" }).to_string(),
        json!({ "userIdentity": { "accountId": account, "type": "ram-user", "principalId": "../x" }, "eventType": "ApiCall",
                "eventTime": "2027-01-15T08:00:00Z", "eventName": "Unknown", "apiVersion": "2016-01-20" })
        .to_string(),
    ] {
        replay.event(line.as_bytes()).unwrap();
    }
    let outcome = replay.finish();
    assert_eq!((outcome.calls, outcome.decided), (1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn names_of_all_kinds_never_panic(
        principal in "(acs:ram::)?([0-9]{16})?(:|:user/|:role/|:root)?.{0,20}",
        permission in "(kms|ram|sts|actiontrail|.{0,3}):(Decrypt|ListUsers|AssumeRole|.{0,8})",
        resource in "acs:(kms|ram|actiontrail|.{0,3}):.{0,12}:([0-9]{16}|system|.{0,4}):(key/|alias/|user/|policy/|.{0,5}).{0,12}",
    ) {
        let _ = PrincipalName::from_wire(&principal);
        WORLD.with(|world| {
            let root = format!("acs:ram::{}:root", world.alice.account);
            let named = resource.replace("system", world.alice.account.as_str());
            for resource in [&resource, &named] {
                let _ = ask(world, &question(&root, &permission, Some(resource)), None);
                let _ = ask(world, &question(&root, "kms:Decrypt", Some(resource)), None);
            }
        });
    }

    #[test]
    fn events_of_all_kinds_never_panic(
        name in "[A-Z][A-Za-z]{0,12}",
        index in any::<prop::sample::Index>(),
        params in prop::collection::btree_map("[A-Za-z.0-9]{1,20}", ".{0,20}", 0..4),
        key in ".{0,40}",
        identity in "[0-9]{0,3}:?.{0,5}",
        code in prop::option::of("(Forbidden.NoPermission|NoPermission|.{0,5})"),
    ) {
        let actions = jomae_api::actions::ACTIONS;
        let spec = actions[index.index(actions.len())];
        let ann = ANN.with(Clone::clone);
        WORLD.with(|world| {
            let range = (Timestamp(0), Timestamp(i64::MAX));
            let proposal = Proposal::new(&allow(&["*"], "*"), AttachTo::User("ann".to_owned())).unwrap();
            let account = world.alice.account.clone();
            let mut replay = Replay::new(&world.service.kms.vault, account.clone(), range, proposal).unwrap();
            for (event_name, version, caller) in [
                (spec.name, spec.api().version(), ann.clone()),
                (spec.name, spec.api().version(), identity.clone()),
                (name.as_str(), "2016-01-20", identity.clone()),
            ] {
                let event = json!({
                    "eventId": "e", "eventName": event_name, "eventTime": "2027-01-15T08:00:00Z", "eventType": "ApiCall",
                    "apiVersion": version, "acsRegion": "cn-hangzhou", "sourceIpAddress": key,
                    "userIdentity": { "type": "ram-user", "accountId": account.as_str(), "principalId": caller },
                    "requestParameters": params, "referencedResources": { "ACS::KMS::Key": [key], "ACS::RAM::User": [key] },
                    "errorCode": code,
                });
                replay.event(event.to_string().as_bytes()).unwrap();
                replay.event(key.as_bytes()).unwrap();
            }
            assert_eq!(replay.finish().calls, 3);
        });
    }
}

thread_local! {
    static WORLD: World = World::new();
    /// The id of a user of that world.
    static ANN: String = WORLD.with(|world| {
        let made = world.alice().ok("CreateUser", &[("UserName", "ann")]);
        made["User"]["UserId"].as_str().unwrap().to_owned()
    });
}
