//! A store that fails: what is answered, what is kept, what is tried again.

use jomae_sim::faults::{CommitFault, ReadFault};
use serde_json::Value;

use crate::common::{Subject, World, actions_that_work, code_of};

const WRITING: &[&str] = &[
    "CreateKey",
    "UpdateKeyDescription",
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
];
const UNAVAILABLE: &str = "503 ServiceUnavailableTemporary";
const INTERNAL: &str = "500 InternalFailure";

fn last_event(world: &World) -> Value {
    world.audit.events().pop().unwrap().0
}

/// Each read of each call fails once, with nothing in memory: an answer of ours every time, and the next call works.
#[test]
fn every_read_that_fails() {
    for spec in actions_that_work() {
        for (fault, expected) in [(ReadFault::Unavailable, UNAVAILABLE), (ReadFault::Damaged, INTERNAL)] {
            let original = World::new();
            let subject = Subject::of(&original, spec.name);
            let params = subject.params(spec.name);
            let before = original.dump();
            for read in 0.. {
                let world = original.reopened();
                let faults = world.store.faults();
                let reads = faults.reads();
                faults.script_reads(vec![None; read]);
                faults.script_reads([Some(fault)]);
                let answer = world.alice().call(spec.name, &params);
                if code_of(&answer) == "200" {
                    let made = usize::try_from(faults.reads() - reads).unwrap();
                    assert_eq!(made, read, "{}: an error of the store was overlooked", spec.name);
                    break;
                }
                assert_eq!(code_of(&answer), expected, "{} read {read}", spec.name);
                assert_eq!(world.dump(), before, "{} read {read}", spec.name);
                assert!(read < 100, "{} reads for ever", spec.name);
            }
        }
    }
}

#[test]
fn a_store_that_is_down_and_comes_back() {
    for spec in actions_that_work() {
        let world = World::new();
        let subject = Subject::of(&world, spec.name);
        let params = subject.params(spec.name);
        let cold = world.reopened();
        cold.store.faults().set_down(true);
        let reply = cold.alice().reply(spec.name, &params);
        assert_eq!((reply.status, reply.outcome.fault.is_some()), (503, true), "{}", spec.name);
        cold.store.faults().set_down(false);
        cold.alice().ok(spec.name, &params);
    }
}

#[test]
fn a_conflict_is_decided_again() {
    for action in WRITING {
        for conflicts in [1, 5, 63] {
            let world = World::new();
            let subject = Subject::of(&world, action);
            let (commits, events) = (world.store.faults().commits(), world.audit.len());
            world.store.faults().script_commits(vec![Some(CommitFault::Conflict); conflicts]);
            world.alice().ok(action, &subject.params(action));
            assert_eq!(world.store.faults().commits() - commits, conflicts as u64 + 1, "{action}");
            assert_eq!(world.audit.len() - events, 1, "{action}: one event, however often it was tried");
        }
    }
}

#[test]
fn conflicts_without_end() {
    let world = World::new();
    let before = world.dump();
    world.store.faults().script_commits(vec![Some(CommitFault::Conflict); 64]);
    world.alice().refused("CreateKey", &[], UNAVAILABLE);
    assert_eq!(world.dump(), before);
    assert_eq!(last_event(&world)["errorCode"], "ServiceUnavailableTemporary");
    world.key();
}

#[test]
fn what_may_have_happened_is_not_tried_again() {
    for action in WRITING {
        for (fault, happened) in [
            (CommitFault::UnknownWithoutEffect, false),
            (CommitFault::UnknownWithEffect, true),
            (CommitFault::Unavailable, false),
        ] {
            let world = World::new();
            let subject = Subject::of(&world, action);
            let (before, commits) = (world.dump(), world.store.faults().commits());
            let events = world.audit.len();
            world.store.faults().script_commits([Some(fault)]);
            world.alice().refused(action, &subject.params(action), UNAVAILABLE);
            assert_eq!(world.store.faults().commits() - commits, 1, "{action} {fault:?}");
            assert_eq!(world.dump() != before, happened, "{action} {fault:?}");
            assert_eq!(world.audit.len() - events, 1, "{action} {fault:?}");
            assert_eq!(last_event(&world)["errorCode"], "ServiceUnavailableTemporary", "{action} {fault:?}");
        }
    }
}

/// What has happened although nobody heard of it is what the next call sees.
#[test]
fn the_cache_follows_a_commit_whose_answer_was_lost() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let blob = alice.encrypt(&key);
    world.store.faults().script_commits([Some(CommitFault::UnknownWithEffect)]);
    alice.refused("DisableKey", &[("KeyId", &key)], UNAVAILABLE);
    alice.refused("Decrypt", &[("CiphertextBlob", &blob)], "409 Rejected.Disabled");
}

/// The largest records stay within the limits of the store.
#[test]
fn the_largest_records_fit() {
    let world = World::new();
    let alice = world.alice();
    // JSON writes these characters as six bytes each.
    let escaped = "\u{1}".repeat(8192);
    let tags: Vec<_> =
        (0..20).map(|n| serde_json::json!({"TagKey": format!("{n:0128}"), "TagValue": "v".repeat(128)})).collect();
    let tags = serde_json::json!(tags).to_string();
    let key = alice.key(&[("Description", &escaped), ("Tags", &tags)]);
    let on = ("EnableDeletionProtection", "true");
    alice.done("SetDeletionProtection", &[("KeyId", &key), on, ("DeletionProtectionDescription", &escaped)]);
    let wide = "\u{1f511}".repeat(8192);
    alice.done("UpdateKeyDescription", &[("KeyId", &key), ("Description", &wide)]);
    assert_eq!(alice.describe(&key)["Description"], wide);
}
