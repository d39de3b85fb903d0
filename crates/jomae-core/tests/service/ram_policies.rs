//! Policies of RAM: made, versioned, listed, deleted.

use std::{collections::BTreeSet, sync::Barrier, thread};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::{limits, policy::Form};
use jomae_core::{
    policy::system_policies,
    ram::record::{AttachedRecord, CountsRecord, PolicyRecord, PolicyType, path},
};
use jomae_sim::block_on;
use serde_json::{Value, json};

use crate::common::{Client, World, code_of};

/// A policy that allows one action.
pub fn allow(action: &str) -> String {
    json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}).to_string()
}

pub fn create(client: Client<'_>, name: &str) -> Value {
    client.ok("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", &allow("kms:Encrypt"))])
}

fn custom(name: &str) -> [(&str, &str); 2] {
    [("PolicyType", "Custom"), ("PolicyName", name)]
}

/// Sets how many of each Alice's account has.
pub fn set_counts(world: &World, set: fn(&mut CountsRecord)) {
    let mut tx = world.service.kms.vault.writing();
    let at = path::counts(&world.alice.account);
    let mut counts = tx.get::<CountsRecord>(&at).unwrap().map(|counts| (*counts).clone()).unwrap_or_default();
    set(&mut counts);
    tx.put(at, &counts).unwrap();
    block_on(tx.commit()).unwrap();
}

pub fn counts(world: &World) -> CountsRecord {
    let counts = world.service.kms.vault.reading().get::<CountsRecord>(&path::counts(&world.alice.account)).unwrap();
    counts.map(|counts| (*counts).clone()).unwrap_or_default()
}

/// Version ids, and the one that counts.
fn versions(client: Client<'_>, name: &str) -> (Vec<String>, String) {
    let answer = client.ok("ListPolicyVersions", &custom(name));
    let rows = answer["PolicyVersions"]["PolicyVersion"].as_array().unwrap();
    let id = |row: &Value| row["VersionId"].as_str().unwrap().to_owned();
    let mut defaults = rows.iter().filter(|row| row["IsDefaultVersion"] == true).map(id);
    let default = defaults.next().unwrap();
    assert_eq!(defaults.next(), None, "one version counts");
    (rows.iter().map(id).collect(), default)
}

#[test]
fn a_policy_through_its_life() {
    let world = World::new();
    let alice = world.alice();
    let before = world.dump();
    let made_at = world.timestamp();
    let document = allow("kms:Encrypt");
    let made = alice
        .ok("CreatePolicy", &[("PolicyName", "P-1"), ("PolicyDocument", &document), ("Description", "for ümlauts")]);
    let mut policy = json!({
        "PolicyName": "P-1", "PolicyType": "Custom", "Description": "for ümlauts", "DefaultVersion": "v1",
        "CreateDate": made_at, "UpdateDate": made_at,
    });
    assert_eq!(made, json!({ "Policy": policy }));
    world.advance(60);
    let later = world.timestamp();
    policy["Description"] = json!("other words");
    policy["UpdateDate"] = json!(later);
    let changed = alice.ok("UpdatePolicyDescription", &[("PolicyName", "P-1"), ("NewDescription", "other words")]);
    assert_eq!(changed, json!({ "Policy": policy }));
    let emptied = alice.ok("UpdatePolicyDescription", &[("PolicyName", "P-1"), ("NewDescription", "")]);
    assert_eq!(emptied["Policy"]["Description"], "", "as a client sends it that takes the description away");
    alice.ok("UpdatePolicyDescription", &[("PolicyName", "P-1"), ("NewDescription", "other words")]);
    policy["AttachmentCount"] = json!(0);
    let version = json!({
        "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": made_at, "PolicyDocument": document,
    });
    let got = alice.ok("GetPolicy", &custom("P-1"));
    assert_eq!(got, json!({"Policy": policy, "DefaultPolicyVersion": version}));
    let listed = alice.ok("ListPolicies", &[("PolicyType", "Custom")]);
    assert_eq!(listed, json!({"Policies": {"Policy": [policy]}, "IsTruncated": false}));
    assert_eq!(counts(&world).policies, 1);
    alice.refused("GetPolicy", &custom("p-1"), "404 EntityNotExist.Policy");
    world.bob().refused("GetPolicy", &custom("P-1"), "404 EntityNotExist.Policy");
    alice.done("DeletePolicy", &[("PolicyName", "P-1")]);
    alice.refused("GetPolicy", &custom("P-1"), "404 EntityNotExist.Policy");
    alice.refused("DeletePolicy", &[("PolicyName", "P-1")], "404 EntityNotExist.Policy");
    assert_eq!(counts(&world).policies, 0);
    let left: Vec<_> = world.dump().into_keys().filter(|path| !before.contains_key(path)).collect();
    assert!(left.iter().all(|path| !path.contains("P-1")), "{left:?}");
}

#[test]
fn versions_and_which_one_counts() {
    let world = World::new();
    let alice = world.alice();
    create(alice, "p");
    let add = |action: &str, more: &[(&str, &str)]| {
        let document = allow(action);
        let mut params = vec![("PolicyName", "p"), ("PolicyDocument", document.as_str())];
        params.extend(more);
        alice.call("CreatePolicyVersion", &params)
    };
    world.advance(5);
    let second = add("kms:Decrypt", &[]).unwrap();
    let expected = json!({"PolicyVersion": {
        "VersionId": "v2", "IsDefaultVersion": false, "CreateDate": world.timestamp(),
        "PolicyDocument": allow("kms:Decrypt"),
    }});
    assert_eq!(second, expected);
    let mut params = custom("p").to_vec();
    params.push(("VersionId", "v2"));
    assert_eq!(alice.ok("GetPolicyVersion", &params), expected);
    assert_eq!(versions(alice, "p"), (vec!["v1".to_owned(), "v2".to_owned()], "v1".to_owned()));
    assert_eq!(alice.ok("GetPolicy", &custom("p"))["DefaultPolicyVersion"]["PolicyDocument"], allow("kms:Encrypt"));
    alice.done("SetDefaultPolicyVersion", &[("PolicyName", "p"), ("VersionId", "v2")]);
    assert_eq!(alice.ok("GetPolicy", &custom("p"))["DefaultPolicyVersion"]["PolicyDocument"], allow("kms:Decrypt"));
    assert_eq!(alice.ok("GetPolicy", &custom("p"))["Policy"]["DefaultVersion"], "v2");
    let third = add("kms:AsymmetricSign", &[("SetAsDefault", "true")]).unwrap();
    assert_eq!(third["PolicyVersion"]["IsDefaultVersion"], true);
    assert_eq!(versions(alice, "p").1, "v3");
    alice.refused(
        "DeletePolicyVersion",
        &[("PolicyName", "p"), ("VersionId", "v3")],
        "409 DeleteConflict.Policy.Version.Default",
    );
    alice.done("DeletePolicyVersion", &[("PolicyName", "p"), ("VersionId", "v2")]);
    for action in ["DeletePolicyVersion", "SetDefaultPolicyVersion"] {
        for (version, expected) in
            [("v2", "404 EntityNotExist.Policy.Version"), ("v9", "404 EntityNotExist.Policy.Version")]
        {
            alice.refused(action, &[("PolicyName", "p"), ("VersionId", version)], expected);
        }
        alice.refused(action, &[("PolicyName", "q"), ("VersionId", "v1")], "404 EntityNotExist.Policy");
        alice.refused(action, &[("PolicyName", "p"), ("VersionId", "3")], "400 InvalidParameter.VersionId.Format");
    }
    // A number is never used again.
    assert_eq!(add("kms:Get*", &[]).unwrap()["PolicyVersion"]["VersionId"], "v4");
    alice.done("DeletePolicyVersion", &[("PolicyName", "p"), ("VersionId", "v4")]);
    assert_eq!(add("kms:Get*", &[]).unwrap()["PolicyVersion"]["VersionId"], "v5");
    add("kms:Get*", &[]).unwrap();
    add("kms:Get*", &[("RotateStrategy", "None")]).unwrap();
    assert_eq!(versions(alice, "p"), (["v1", "v3", "v5", "v6", "v7"].map(str::to_owned).to_vec(), "v3".to_owned()));
    for strategy in [&[][..], &[("RotateStrategy", "None")]] {
        assert_eq!(code_of(&add("kms:List*", strategy)), "409 LimitExceeded.Policy.Version");
    }
    let rotate = [("RotateStrategy", "DeleteOldestNonDefaultVersionWhenLimitExceeded")];
    add("kms:List*", &rotate).unwrap();
    assert_eq!(versions(alice, "p"), (["v3", "v5", "v6", "v7", "v8"].map(str::to_owned).to_vec(), "v3".to_owned()));
    add("kms:List*", &[rotate[0], ("SetAsDefault", "true")]).unwrap();
    assert_eq!(versions(alice, "p"), (["v3", "v6", "v7", "v8", "v9"].map(str::to_owned).to_vec(), "v9".to_owned()));
    assert_eq!(code_of(&add("kms:List*", &[("RotateStrategy", "Oldest")])), "400 InvalidParameter");
    alice.refused("DeletePolicy", &[("PolicyName", "p")], "409 DeleteConflict.Policy.Version");
    alice.refused(
        "DeletePolicy",
        &[("PolicyName", "p"), ("CascadingDelete", "false")],
        "409 DeleteConflict.Policy.Version",
    );
    alice.done("DeletePolicy", &[("PolicyName", "p"), ("CascadingDelete", "true")]);
    alice.refused("ListPolicyVersions", &custom("p"), "404 EntityNotExist.Policy");
}

#[test]
fn what_is_refused() {
    let world = World::new();
    let alice = world.alice();
    create(alice, "p");
    let before = world.dump();
    let good = allow("kms:Encrypt");
    alice.refused("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &good)], "409 EntityAlreadyExists.Policy");
    let long = "x".repeat(129);
    for (name, expected) in [
        ("a b", "400 InvalidParameter.PolicyName.InvalidChars"),
        ("a.b", "400 InvalidParameter.PolicyName.InvalidChars"),
        ("a/b", "400 InvalidParameter.PolicyName.InvalidChars"),
        ("\u{e9}", "400 InvalidParameter.PolicyName.InvalidChars"),
        (&long, "400 InvalidParameter.PolicyName.Length"),
        ("AdministratorAccess", "409 EntityAlreadyExists.Policy"),
    ] {
        alice.refused("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", &good)], expected);
    }
    let over = format!("{good}{}", " ".repeat(Form::Identity.bytes_max()));
    let with_principal = good.replace("\"Resource\"", "\"Principal\":{\"RAM\":[\"acs:ram::1:root\"]},\"Resource\"");
    for (document, expected) in [
        ("x", "400 MalformedPolicyDocument"),
        ("{}", "400 MalformedPolicyDocument"),
        (&good.replace("Allow", "Perhaps"), "400 MalformedPolicyDocument"),
        (&with_principal, "400 MalformedPolicyDocument"),
        (&over, "400 InvalidParameter.PolicyDocument.Length"),
    ] {
        alice.refused("CreatePolicy", &[("PolicyName", "q"), ("PolicyDocument", document)], expected);
        alice.refused("CreatePolicyVersion", &[("PolicyName", "p"), ("PolicyDocument", document)], expected);
    }
    let text = "é".repeat(limits::RAM_DESCRIPTION_CHARS_MAX + 1);
    let expected = "400 InvalidParameter.Description.Length";
    alice.refused("CreatePolicy", &[("PolicyName", "q"), ("PolicyDocument", &good), ("Description", &text)], expected);
    alice.refused("UpdatePolicyDescription", &[("PolicyName", "p"), ("NewDescription", &text)], expected);
    alice.refused(
        "CreatePolicy",
        &[("PolicyName", "q"), ("PolicyDocument", &good), ("Tag.1.Key", "a"), ("Tag.1.Value", "b")],
        "400 InvalidParameter",
    );
    alice.refused(
        "CreatePolicyVersion",
        &[("PolicyName", "q"), ("PolicyDocument", &good)],
        "404 EntityNotExist.Policy",
    );
    alice.refused(
        "UpdatePolicyDescription",
        &[("PolicyName", "q"), ("NewDescription", "x")],
        "404 EntityNotExist.Policy",
    );
    for action in ["GetPolicy", "ListPolicyVersions", "ListEntitiesForPolicy"] {
        alice.refused(action, &[("PolicyType", "custom"), ("PolicyName", "p")], "400 InvalidParameter.PolicyType");
        alice.refused(action, &[("PolicyName", "p")], "400 MissingParameter");
        for kind in ["System", "Custom"] {
            alice.refused(action, &[("PolicyType", kind), ("PolicyName", "q")], "404 EntityNotExist.Policy");
        }
    }
    // Those of the service are nobody's to change.
    for (action, more) in [
        ("DeletePolicy", &[][..]),
        ("UpdatePolicyDescription", &[("NewDescription", "x")]),
        ("CreatePolicyVersion", &[("PolicyDocument", good.as_str())]),
        ("DeletePolicyVersion", &[("VersionId", "v1")]),
        ("SetDefaultPolicyVersion", &[("VersionId", "v1")]),
    ] {
        let params = [&[("PolicyName", "AdministratorAccess")], more].concat();
        alice.refused(action, &params, "404 EntityNotExist.Policy");
    }
    assert_eq!(world.dump(), before);
}

/// A mistake is named by its place, and never repeated.
#[test]
fn malformed_documents_are_refused_with_their_place() {
    let world = World::new();
    let document = allow("kms:Encrypt").replace("Allow", "hunter2");
    let reply = world.alice().reply("CreatePolicy", &[("PolicyName", "q"), ("PolicyDocument", &document)]);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let message = body["Message"].as_str().unwrap();
    assert!(message.contains("Statement 1: Effect") && !message.contains("hunter2"), "{message}");
    // Nor does it stand in the audit log; a good one does.
    create(world.alice(), "p");
    let log = world.audit.text();
    assert!(!log.contains("hunter2") && log.contains("kms:Encrypt"), "{log}");
}

#[test]
fn policies_of_the_service() {
    let world = World::new();
    let alice = world.alice();
    for policy in system_policies() {
        let params = [("PolicyType", "System"), ("PolicyName", policy.name)];
        let got = alice.ok("GetPolicy", &params);
        assert_eq!(got["Policy"]["PolicyType"], "System");
        assert_eq!(got["Policy"]["DefaultVersion"], policy.version);
        assert_eq!(got["Policy"]["CreateDate"], "2015-05-01T00:00:00Z");
        assert_eq!(got["Policy"]["AttachmentCount"], 0);
        assert_eq!(got["DefaultPolicyVersion"]["PolicyDocument"], policy.document);
        let listed = alice.ok("ListPolicyVersions", &params);
        assert_eq!(listed["PolicyVersions"]["PolicyVersion"], json!([got["DefaultPolicyVersion"]]));
        let version = alice.ok("GetPolicyVersion", &[&params[..], &[("VersionId", policy.version)]].concat());
        assert_eq!(version["PolicyVersion"], got["DefaultPolicyVersion"]);
        alice.refused(
            "GetPolicyVersion",
            &[&params[..], &[("VersionId", "v4000")]].concat(),
            "404 EntityNotExist.Policy.Version",
        );
    }
}

/// All names of the pages of a list, which must have these sizes but for the last.
fn paged(client: Client<'_>, kind: &[(&str, &str)], rows_max: usize) -> Vec<String> {
    let (mut names, mut marker) = (Vec::new(), None::<String>);
    loop {
        let size = rows_max.to_string();
        let mut params = [kind, &[("MaxItems", size.as_str())]].concat();
        params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let answer = client.ok("ListPolicies", &params);
        let rows = answer["Policies"]["Policy"].as_array().unwrap();
        names.extend(rows.iter().map(|row| row["PolicyName"].as_str().unwrap().to_owned()));
        marker = answer.get("Marker").map(|marker| marker.as_str().unwrap().to_owned());
        assert_eq!(answer["IsTruncated"], marker.is_some());
        if marker.is_none() {
            return names;
        }
        assert_eq!(rows.len(), rows_max);
    }
}

#[test]
fn lists_have_pages() {
    let world = World::new();
    let alice = world.alice();
    let mut custom = BTreeSet::new();
    for number in 0..23 {
        let name = format!("p{}", (number * 7) % 23);
        create(alice, &name);
        custom.insert(name);
    }
    create(world.bob(), "of-bob");
    let system: Vec<String> = system_policies().iter().map(|policy| policy.name.to_owned()).collect();
    assert!(system.is_sorted() && system.len() > 5);
    let custom: Vec<String> = custom.into_iter().collect();
    let all = [system.clone(), custom.clone()].concat();
    for size in [1, 2, 5, system.len(), system.len() + 1, all.len() - 1, all.len(), 1000] {
        assert_eq!(paged(alice, &[], size), all, "pages of {size}");
        assert_eq!(paged(alice, &[("PolicyType", "System")], size), system, "pages of {size}");
        assert_eq!(paged(alice, &[("PolicyType", "Custom")], size), custom, "pages of {size}");
    }
    let of = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for bad in ["!", "x", &of("p1"), &of("Xp1"), &of("\u{e9}"), &of("S")[..1]] {
        alice.refused("ListPolicies", &[("Marker", bad)], "400 InvalidParameter");
    }
    alice.refused("ListPolicies", &[("Marker", &of("Cp1")), ("PolicyType", "System")], "400 InvalidParameter");
    alice.refused("ListPolicies", &[("Marker", &of("Sp1")), ("PolicyType", "Custom")], "400 InvalidParameter");
    for bad in ["0", "1001", "x"] {
        alice.refused("ListPolicies", &[("MaxItems", bad)], "400 InvalidParameter");
    }
    alice.refused("ListPolicies", &[("PolicyType", "All")], "400 InvalidParameter.PolicyType");
    alice.refused("ListPolicies", &[("Tag.1.Key", "a")], "400 InvalidParameter");
}

/// One look into the store gives 512 entries at most.
#[test]
fn long_lists_are_whole() {
    let world = World::new();
    let (alice, account) = (world.alice(), &world.alice.account);
    create(alice, "p");
    let at = |name: &str| path::policy(account, name);
    let record = world.service.kms.vault.reading().get::<PolicyRecord>(&at("p")).unwrap().unwrap();
    let admin = (PolicyType::System, "AdministratorAccess");
    let numbers: Vec<u32> = (1000..2100).collect();
    for some in numbers.chunks(50) {
        let mut tx = world.service.kms.vault.writing();
        for number in some {
            let name = format!("p{number}");
            tx.put(at(&name), &PolicyRecord { name, ..(*record).clone() }).unwrap();
            let attached = path::attached(account, admin, path::Entity::User, &number.to_string());
            tx.put(attached, &AttachedRecord { at: 0 }).unwrap();
        }
        block_on(tx.commit()).unwrap();
    }
    let names = paged(alice, &[("PolicyType", "Custom")], 1000);
    let expected = std::iter::once("p".to_owned()).chain(numbers.iter().map(|number| format!("p{number}")));
    assert!(names.iter().cloned().eq(expected), "{}", names.len());
    assert_eq!(paged(alice, &[("PolicyType", "Custom")], 600), names);
    let got = alice.ok("GetPolicy", &[("PolicyType", "System"), ("PolicyName", admin.1)]);
    assert_eq!(got["Policy"]["AttachmentCount"], 1100);
    // An index entry that the holder itself does not confirm is no row.
    let holders = alice.ok("ListEntitiesForPolicy", &[("PolicyType", "System"), ("PolicyName", admin.1)]);
    assert_eq!(holders["Users"]["User"], json!([]));
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
                        let document = allow("kms:Encrypt");
                        let name = name(number);
                        let params = [("PolicyName", name.as_str()), ("PolicyDocument", &document)];
                        code_of(&world.alice().call("CreatePolicy", &params))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| *answer == "200").count(), 1, "{answers:?}");
        answers.into_iter().filter(|answer| answer != "200").collect::<BTreeSet<_>>()
    };
    assert_eq!(race(|_| "same".to_owned()), BTreeSet::from(["409 EntityAlreadyExists.Policy".to_owned()]));
    set_counts(&world, |counts| counts.policies = limits::RAM_POLICIES_MAX - 1);
    assert_eq!(race(|number| format!("n{number}")), BTreeSet::from(["409 LimitExceeded.Policy".to_owned()]));
    assert_eq!(counts(&world).policies, limits::RAM_POLICIES_MAX);
}
