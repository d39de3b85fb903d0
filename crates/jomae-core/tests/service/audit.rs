//! The audit event of each call: one, complete, and without a secret.

use std::sync::atomic::Ordering;

use jomae_api::{actions::metadata::KeyState, param::Kind};
use jomae_core::audit::Durability;
use jomae_sim::{block_on, faults::CommitFault};
use serde_json::{Value, json};

use crate::common::{HELLO, SHANGHAI, Subject, World, actions_that_work, kms_actions, takes};

/// The events that one call leaves.
fn events_of(world: &World, call: impl FnOnce()) -> Vec<(Value, Durability)> {
    let before = world.audit.len();
    call();
    world.audit.events().split_off(before)
}

/// Actions that are recorded as writing.
const WRITING: &[&str] = &[
    "CreateKey",
    "UpdateKeyDescription",
    "EnableKey",
    "DisableKey",
    "ScheduleKeyDeletion",
    "CancelKeyDeletion",
    "SetDeletionProtection",
    "CreateAlias",
    "UpdateAlias",
    "DeleteAlias",
    "SetKeyPolicy",
    "CreateKeyVersion",
    "UpdateRotationPolicy",
    "ImportKeyMaterial",
    "DeleteKeyMaterial",
    "TagResource",
    "UntagResource",
    "TagResources",
    "UntagResources",
    "OpenKmsService",
];
const HANDED: &[&str] = &[
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncrypt",
    "ExportDataKey",
    "GenerateAndExportDataKey",
    "AsymmetricEncrypt",
    "AsymmetricDecrypt",
    "AsymmetricSign",
    "AsymmetricVerify",
    "GetPublicKey",
    "GenerateMac",
    "VerifyMac",
];
/// Parameters that are not shown: secrets, what could be mistaken for one, and lists.
const HIDDEN: &[&str] = &[
    "Plaintext",
    "CiphertextBlob",
    "Digest",
    "Value",
    "Message",
    "Mac",
    "ImportToken",
    "EncryptedKeyMaterial",
    "PublicKeyBlob",
    "RegionId",
    "Tag.1.Key",
    "Tag.1.Value",
    "TagKey.1",
];

/// The event that a call of Alice's in Hangzhou must leave, but for resources.
fn expected(world: &World, action: &str, request_id: &str, params: &Value, error: Option<(&str, &str)>) -> Value {
    let account = world.alice.account.as_str();
    let mut event = json!({
        "eventId": request_id,
        "eventVersion": 1,
        "eventName": action,
        "eventSource": "kms.cn-hangzhou.example",
        "eventType": "ApiCall",
        "eventCategory": "Management",
        "eventRW": if WRITING.contains(&action) { "Write" } else { "Read" },
        "eventTime": world.timestamp(),
        "serviceName": "Kms",
        "apiVersion": "2016-01-20",
        "requestId": request_id,
        "acsRegion": "cn-hangzhou",
        "isGlobal": false,
        "sourceIpAddress": "203.0.113.7",
        "userAgent": "tests/1",
        "userIdentity": {
            "type": "root-account",
            "accountId": account,
            "principalId": account,
            "userName": "root",
            "accessKeyId": world.alice.id,
        },
        "requestParameters": params,
    });
    if let Some((code, message)) = error {
        event["errorCode"] = code.into();
        event["errorMessage"] = message.into();
    }
    event
}

/// What may be shown of these parameters.
fn shown(params: &[(&str, &str)]) -> Value {
    let public = params.iter().filter(|(name, _)| !HIDDEN.contains(name));
    public.map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn every_call_leaves_one_event() {
    for spec in actions_that_work() {
        let world = World::new();
        world.advance(1234);
        let subject = Subject::of(&world, spec.name);
        let params = subject.params(spec.name);
        let mut reply = None;
        let mut events = events_of(&world, || reply = Some(world.alice().reply(spec.name, &params)));
        let reply = reply.unwrap();
        assert_eq!(reply.status, 200, "{}", spec.name);
        if spec.name == "DescribeRegions" {
            assert!(events.is_empty());
            continue;
        }
        let (mut event, durability) = events.pop().unwrap();
        assert!(events.is_empty(), "{} left two", spec.name);
        let resources = event.as_object_mut().unwrap().remove("referencedResources");
        assert_eq!(event, expected(&world, spec.name, &reply.request_id, &shown(&params), None));
        let on_disk = if HANDED.contains(&spec.name) { Durability::Handed } else { Durability::OnDisk };
        assert_eq!(durability, on_disk, "{}", spec.name);
        let made = serde_json::from_slice::<Value>(&reply.body).unwrap()["KeyMetadata"]["KeyId"].take();
        let (key, new) = (json!([subject.key]), json!(["alias/new"]));
        let resources_expected = match spec.name {
            "CreateKey" => Some(json!({ "ACS::KMS::Key": [made] })),
            "CreateAlias" => Some(json!({ "ACS::KMS::Key": key, "ACS::KMS::Alias": new })),
            "UpdateAlias" => Some(json!({ "ACS::KMS::Key": key, "ACS::KMS::Alias": [subject.elsewhere] })),
            "DeleteAlias" => Some(json!({ "ACS::KMS::Key": key, "ACS::KMS::Alias": [subject.alias] })),
            "ListKeys" | "ListAliases" | "DescribeAccountKmsStatus" | "DescribeServer" => None,
            _ => Some(json!({ "ACS::KMS::Key": key })),
        };
        assert_eq!(resources, resources_expected, "{}", spec.name);
    }
}

#[test]
fn a_refused_call_leaves_one_event_too() {
    let world = World::new();
    let alice = world.alice();
    let subject = Subject::new(&world, KeyState::Disabled);
    let key = subject.key.as_str();
    let bobs = world.bob().key(&[]);
    let bobs_arn = world.bob().describe(&bobs)["Arn"].as_str().unwrap().to_owned();
    for (action, params) in [
        ("Encrypt", vec![("KeyId", key), ("Plaintext", HELLO)]),
        ("Encrypt", vec![("KeyId", key), ("Plaintext", HELLO), ("DryRun", "true")]),
        ("GenerateDataKey", vec![("KeyId", &bobs_arn)]),
        ("CancelKeyDeletion", vec![("KeyId", key)]),
        ("CreateAlias", vec![("KeyId", key), ("AliasName", &subject.alias)]),
        ("CreateKey", vec![("ProtectionLevel", "SOFTWARE"), ("Origin", "EXTERNAL"), ("NumberOfBytes", "1")]),
        ("DeleteAlias", vec![("AliasName", "alias/none")]),
        ("EnableKey", vec![]),
        ("OpenKmsService", vec![]),
    ] {
        let mut reply = None;
        let mut events = events_of(&world, || reply = Some(alice.reply(action, &params)));
        let reply = reply.unwrap();
        let (mut event, _) = events.pop().unwrap();
        assert!(events.is_empty());
        event.as_object_mut().unwrap().remove("referencedResources");
        let declared = jomae_api::actions::find(action).unwrap().params;
        let mut params = params.clone();
        params.retain(|(name, _)| declared.iter().any(|used| used.param.name() == *name));
        let message = reply.outcome.refusal.map(|refusal| refusal.message());
        let error = reply.outcome.refusal.map(|refusal| (refusal.code(), message.as_deref().unwrap()));
        assert_eq!(event, expected(&world, action, &reply.request_id, &shown(&params), error), "{action}");
        assert_eq!(reply.status == 200, action == "CreateKey");
    }
    let events = events_of(&world, || {
        alice.at(SHANGHAI).call("DescribeKey", &[("KeyId", key)]).unwrap_err();
    });
    assert_eq!(events[0].0["acsRegion"], "cn-shanghai");
    assert_eq!(events[0].0["eventSource"], SHANGHAI);
    assert_eq!(events[0].0["errorCode"], "Forbidden.KeyNotFound");
}

/// Who proves nothing cannot fill the log.
#[test]
fn what_is_not_signed_leaves_no_event() {
    let world = World::new();
    let stranger = crate::common::Credentials { secret: b"guessed".to_vec(), ..world.alice.clone() };
    let events = events_of(&world, || {
        world.alice().with(&stranger).refused("CreateKey", &[], "400 SignatureDoesNotMatch");
        assert_eq!(world.get("Action=CreateKey").status, 400);
    });
    assert!(events.is_empty());
}

/// Texts that look like secrets, in every parameter of every action, declared or not.
#[test]
fn no_secret_is_recorded_wherever_it_is_put() {
    // Base64 as a client would send it, a word that could be an ID, and text that JSON must escape.
    let canaries = ["Q0FOQVJZLWNhbmFyeS1jYW5hcnk9PQ==", "hunter2-canary", "canary \"\\ \n{}"];
    let free_text = ["Description", "DeletionProtectionDescription"];
    let world = World::new();
    let secret = String::from_utf8(world.alice.secret.clone()).unwrap();
    for spec in kms_actions() {
        let subject = Subject::of(&world, spec.name);
        let undeclared = ["Plaintext", "SecretData", "Password", "Message", "Value", "ImportToken", "Whatever"];
        let mut names: Vec<String> = undeclared.into_iter().map(str::to_owned).collect();
        for used in spec.params {
            let name = used.param.name();
            names.push(name.to_owned());
            let members: &[&str] = match used.param.kind() {
                Kind::List => &["1"],
                Kind::Pairs => &["1.Key", "1.Value"],
                _ => &[],
            };
            names.extend(members.iter().map(|member| format!("{name}.{member}")));
        }
        for name in names.iter().map(String::as_str).filter(|name| !free_text.contains(name)) {
            for canary in canaries {
                let mut params = subject.params(spec.name);
                params.retain(|(other, _)| *other != name);
                params.push((name, canary));
                let reply = world.alice().reply(spec.name, &params);
                let body = String::from_utf8(reply.body).unwrap();
                assert!(!body.contains("canary"), "{} {name}: {body}", spec.name);
                if let Some(fault) = reply.outcome.fault {
                    panic!("{} {name}: {fault}", spec.name);
                }
            }
        }
    }
    let log = world.audit.text();
    for canary in ["Q0FOQVJZ", "canary", &secret] {
        assert!(!log.contains(canary), "{}", log.lines().find(|line| line.contains(canary)).unwrap());
    }
}

#[test]
fn what_is_encrypted_is_not_recorded() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let sealed = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
    let made = alice.ok("GenerateDataKey", &[("KeyId", &key)]);
    alice.decrypts(sealed["CiphertextBlob"].as_str().unwrap());
    let log = world.audit.text();
    assert!(!log.contains(HELLO));
    for secret in [&sealed["CiphertextBlob"], &made["CiphertextBlob"], &made["Plaintext"]] {
        let secret = secret.as_str().unwrap();
        assert!(!log.contains(secret) && !log.contains(&secret[secret.len() - 40..]));
    }
}

/// Members of answers that only the caller may see, or that are long and of no use in a log.
const NOT_RECORDED: &[&str] =
    &["Plaintext", "CiphertextBlob", "ExportedDataKey", "Value", "Mac", "ImportToken", "PublicKey", "Policy"];

#[test]
fn what_is_answered_is_not_recorded() {
    let mut seen = std::collections::BTreeSet::new();
    for spec in actions_that_work() {
        let world = World::new();
        let subject = Subject::of(&world, spec.name);
        let answer = world.alice().ok(spec.name, &subject.params(spec.name));
        let log = world.audit.text();
        for member in NOT_RECORDED {
            let Some(text) = answer[*member].as_str() else { continue };
            seen.insert(*member);
            let short = text.len().min(20);
            for part in [text, &text[text.len() - short..], &text[..short]] {
                assert!(!log.contains(part), "{} {member}", spec.name);
            }
        }
        // Nor does what went in.
        for (name, text) in subject.params(spec.name).into_iter().filter(|(name, _)| HIDDEN.contains(name)) {
            let is_long = text.len() >= 20 && takes(spec, name);
            assert!(!is_long || !log.contains(text), "{} {name}", spec.name);
        }
    }
    assert_eq!(seen.len(), NOT_RECORDED.len());
}

/// An encryption context is recorded as it was sent, JSON or flattened, if it is one.
#[test]
fn contexts_are_recorded() {
    let world = World::new();
    let key = world.key();
    let recorded = |context: &[(&str, &str)]| {
        let params: Vec<_> =
            [("KeyId", key.as_str()), ("Plaintext", HELLO)].into_iter().chain(context.iter().copied()).collect();
        let mut events = events_of(&world, || drop(world.alice().reply("Encrypt", &params)));
        let mut event = events.pop().unwrap().0;
        let mut params = event["requestParameters"].take();
        params.as_object_mut().unwrap().remove("KeyId");
        params
    };
    let text = r#"{"a":"1"}"#;
    assert_eq!(recorded(&[("EncryptionContext", text)]), json!({ "EncryptionContext": text }));
    assert_eq!(recorded(&[("EncryptionContext", "[canary]")]), json!({}));
    assert_eq!(recorded(&[("EncryptionContext.a", "1")]), json!({ "EncryptionContext.a": "1" }));
    let long = "x".repeat(8193);
    assert_eq!(recorded(&[("EncryptionContext.a", &long)]), json!({}), "over the limit");
}

#[test]
fn without_a_log_nothing_is_done() {
    let world = World::new();
    for spec in actions_that_work() {
        let subject = Subject::of(&world, spec.name);
        let (before, events) = (world.dump(), world.audit.len());
        world.audit.unwritable.store(true, Ordering::SeqCst);
        let params = subject.params(spec.name);
        world.alice().refused(spec.name, &params, "503 ServiceUnavailableTemporary");
        assert_eq!(world.dump(), before, "{}", spec.name);
        assert_eq!(world.audit.len(), events);
        world.audit.unwritable.store(false, Ordering::SeqCst);
        world.alice().ok(spec.name, &params);
    }
}

/// A log that fails while it writes: no result leaves, and the event of a change that happened is not lost.
#[test]
fn a_log_that_fails_while_it_writes() {
    for spec in actions_that_work().filter(|spec| spec.name != "DescribeRegions") {
        let world = World::new();
        let subject = Subject::of(&world, spec.name);
        block_on(world.service.outbox.clear(&world.service.kms.vault)).unwrap();
        assert!(world.paths_with("sys/outbox/").is_empty(), "what is in the log leaves the outbox");
        let before = world.dump();
        world.audit.failing.store(true, Ordering::SeqCst);
        let params = subject.params(spec.name);
        let reply = world.alice().reply(spec.name, &params);
        assert_eq!(reply.status, 503, "{}", spec.name);
        let body = String::from_utf8(reply.body).unwrap();
        assert!(!body.contains("Plaintext") && !body.contains("KeyMetadata"), "{body}");
        // EnableKey changes nothing on a key that is enabled.
        if !WRITING.contains(&spec.name) || spec.name == "EnableKey" {
            assert_eq!(world.dump(), before, "{}", spec.name);
            continue;
        }
        assert_eq!(world.paths_with("sys/outbox/").len(), 1, "{}", spec.name);
        block_on(world.service.outbox.clear(&world.service.kms.vault)).unwrap();
        assert_eq!(world.paths_with("sys/outbox/").len(), 1, "not in the log, so it stays");
        let next = world.reopened();
        let recover = || block_on(next.service.outbox.recover(&next.service.kms.vault, &*next.audit)).unwrap();
        assert_eq!((recover(), next.audit.len()), (1, 1), "{}", spec.name);
        let (event, durability) = next.audit.events().pop().unwrap();
        assert_eq!((&event["eventName"], &event["eventId"]), (&json!(spec.name), &json!(reply.request_id)));
        assert_eq!(durability, Durability::OnDisk);
        assert!(event.get("errorCode").is_none(), "the change did happen");
        assert_eq!(recover(), 0, "once");
        block_on(next.service.outbox.clear(&next.service.kms.vault)).unwrap();
        assert!(next.paths_with("sys/outbox/").is_empty());
    }
}

/// A change whose call did not know its outcome has its event in the log without a restart, once.
#[test]
fn what_a_call_has_left_is_logged() {
    let world = World::new();
    let stranded = || block_on(world.service.outbox.append_stranded(&world.service.kms.vault, &*world.audit)).unwrap();
    let key = world.key();
    world.store.faults().script_commits([Some(CommitFault::UnknownWithEffect)]);
    assert_eq!(world.alice().reply("DisableKey", &[("KeyId", &key)]).status, 503);
    assert_eq!(world.alice().state(&key), "Disabled");
    let before = world.audit.len();
    assert_eq!((stranded(), world.audit.len()), (0, before), "a call may be about to do it");
    assert_eq!((stranded(), world.audit.len()), (1, before + 1));
    let (event, _) = world.audit.events().pop().unwrap();
    assert_eq!((&event["eventName"], &event["errorCode"]), (&json!("DisableKey"), &json!(null)));
    assert_eq!((stranded(), stranded(), world.audit.len()), (0, 0, before + 1));
    assert!(world.paths_with("sys/outbox/").is_empty());
}

/// An event that reached the log before the process died is not written twice.
#[test]
fn what_is_in_the_log_already_is_not_recovered() {
    let world = World::new();
    world.key();
    assert_eq!(world.paths_with("sys/outbox/").len(), 1, "it is still in the outbox, and in the log");
    let next = world.reopened();
    assert_eq!(block_on(next.service.outbox.recover(&next.service.kms.vault, &*world.audit)).unwrap(), 0);
    assert_eq!(world.audit.len(), 1);
    assert!(next.paths_with("sys/outbox/").is_empty());
}

/// One SDK sends maps and lists in parts; what they say is recorded all the same.
#[test]
fn maps_and_lists_in_parts_are_recorded() {
    let world = World::new();
    let (alice, key, other) = (world.alice(), world.key(), world.key());
    let encrypted = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO), ("EncryptionContext.a", "b")]);
    let moved = [
        ("CiphertextBlob", encrypted["CiphertextBlob"].as_str().unwrap()),
        ("SourceEncryptionContext.a", "b"),
        ("DestinationEncryptionContext.c", "d"),
        ("DestinationKeyId", &other),
    ];
    alice.ok("ReEncrypt", &moved);
    let tagged = [
        ("RegionId", "cn-hangzhou"),
        ("ResourceType", "key"),
        ("ResourceId.1", key.as_str()),
        ("ResourceId.2", other.as_str()),
        ("TagKey.1", "team"),
    ];
    alice.ok("UntagResources", &tagged);
    let recorded: Vec<Value> = world.audit.events().into_iter().rev().take(3).map(|(event, _)| event).collect();
    let parameters = |n: usize, name: &str| recorded[n]["requestParameters"][name].clone();
    assert_eq!(parameters(2, "EncryptionContext.a"), "b");
    assert_eq!(parameters(1, "SourceEncryptionContext.a"), "b");
    assert_eq!(parameters(1, "DestinationEncryptionContext.c"), "d");
    assert_eq!([parameters(0, "ResourceId.1"), parameters(0, "ResourceId.2")], [json!(key), json!(other)]);
}
