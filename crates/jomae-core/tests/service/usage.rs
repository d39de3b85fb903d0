//! What keys were used for: counted in memory, added to the store now and then.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use jomae_api::actions::metadata::KeyState;
use jomae_core::record::path;
use jomae_sim::{block_on, faults::CommitFault};
use serde_json::{Value, json};

use crate::common::{Client, DAY, HELLO, START, Subject, World, actions_that_work};

/// Usage of a key as a whole, or null.
fn of_key(client: Client<'_>, key: &str) -> Value {
    client.ok("DescribeKey", &[("KeyId", key)]).get("UsageStatistics").cloned().unwrap_or_default()
}

fn of_version(client: Client<'_>, key: &str, version: &str) -> Value {
    let params = [("KeyId", key), ("KeyVersionId", version)];
    client.ok("DescribeKeyVersion", &params).get("UsageStatistics").cloned().unwrap_or_default()
}

fn date(secs: i64) -> Value {
    jomae_api::time::Timestamp(secs).to_string().into()
}

fn usage(world: &World, first: i64, last: i64, calls: &Value) -> Value {
    json!({ "FirstUsed": date(first), "LastUsed": date(last), "LastUsedBy": world.alice.id, "Calls": calls })
}

#[test]
fn uses_are_counted() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    world.flush();
    assert_eq!(of_key(alice, &key), Value::Null, "a key that was never used");
    world.advance(10);
    let blob = alice.encrypt(&key);
    world.advance(10);
    for _ in 0..3 {
        alice.decrypts(&blob);
    }
    assert_eq!(of_key(alice, &key), Value::Null, "not yet in the store");
    let commits = world.store.faults().commits();
    world.flush();
    assert_eq!(world.store.faults().commits(), commits + 1);
    let expected = usage(&world, START + 10, START + 20, &json!({ "Encrypt": 1, "Decrypt": 3 }));
    assert_eq!(of_key(alice, &key), expected);
    let version = alice.describe(&key)["PrimaryKeyVersion"].as_str().unwrap().to_owned();
    assert_eq!(of_version(alice, &key, &version), expected);
    world.flush();
    assert_eq!(world.store.faults().commits(), commits + 1, "without a use nothing is written");
    world.advance(DAY);
    alice.encrypt(&key);
    world.flush();
    let expected = usage(&world, START + 10, START + 20 + DAY, &json!({ "Encrypt": 2, "Decrypt": 3 }));
    assert_eq!(of_key(alice, &key), expected);
}

/// A turn stores no more than it may, those that waited longest first.
#[test]
fn a_turn_is_bounded() {
    let world = World::new();
    let alice = world.alice();
    let keys: Vec<String> = (0..5).map(|_| world.key()).collect();
    for key in &keys {
        alice.encrypt(key);
    }
    let stored = || keys.iter().filter(|key| of_key(alice, key) != Value::Null).count();
    for (turn, expected) in [(2, 2), (2, 4), (2, 5), (2, 5)].into_iter().enumerate() {
        block_on(world.service.kms.usage.flush(&world.service.kms.vault, expected.0)).unwrap();
        assert_eq!(stored(), expected.1, "turn {turn}");
    }
}

/// A key that is in use all the time is written once a flush, not again and again as long as it is used.
#[test]
fn a_key_in_use_is_flushed_once() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    alice.encrypt(&key);
    world.store.slow.store(true, Ordering::Relaxed);
    let before = world.store.faults().commits();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                alice.encrypt(&key);
            }
        });
        block_on(world.service.kms.usage.flush(&world.service.kms.vault, 10)).unwrap();
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(world.store.faults().commits(), before + 1);
}

/// Each version has its own counts, and the key the sum.
#[test]
fn versions_are_counted_apart() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let old = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
    let new = alice.ok("CreateKeyVersion", &[("KeyId", &key)])["KeyVersion"]["KeyVersionId"].clone();
    world.advance(5);
    alice.encrypt(&key);
    alice.decrypts(old["CiphertextBlob"].as_str().unwrap());
    world.flush();
    let (old, new) = (old["KeyVersionId"].as_str().unwrap(), new.as_str().unwrap());
    let one_each = json!({ "Encrypt": 1, "Decrypt": 1 });
    assert_eq!(of_version(alice, &key, old), usage(&world, START, START + 5, &one_each));
    assert_eq!(of_version(alice, &key, new), usage(&world, START + 5, START + 5, &json!({ "Encrypt": 1 })));
    let all = json!({ "Encrypt": 2, "Decrypt": 1 });
    assert_eq!(of_key(alice, &key), usage(&world, START, START + 5, &all));
}

/// Which actions use key versions, and that ReEncrypt uses two.
#[test]
fn every_action_that_uses_a_key_counts() {
    const USES: &[&str] = &[
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
        "GenerateMac",
        "VerifyMac",
    ];
    for spec in actions_that_work() {
        let world = World::new();
        let subject = Subject::of(&world, spec.name);
        world.flush();
        // The same account, but another process with its own counts.
        let other = world.reopened();
        let before = of_key(other.alice(), &subject.key)["Calls"][spec.name].as_u64().unwrap_or(0);
        other.alice().ok(spec.name, &subject.params(spec.name));
        other.flush();
        let after = of_key(other.alice(), &subject.key)["Calls"][spec.name].as_u64().unwrap_or(0);
        let expected = match spec.name {
            "ReEncrypt" => 2,
            name => u64::from(USES.contains(&name)),
        };
        assert_eq!(after - before, expected, "{}", spec.name);
    }
}

#[test]
fn what_is_refused_or_only_tried_is_no_use() {
    let world = World::new();
    let alice = world.alice();
    let subject = Subject::new(&world, KeyState::Enabled);
    let disabled = Subject::new(&world, KeyState::Disabled);
    world.flush();
    let before = [of_key(alice, &subject.key), of_key(alice, &disabled.key)];
    let commits = world.store.faults().commits();
    for action in ["Encrypt", "Decrypt", "GenerateDataKey"] {
        let mut tried = subject.params(action);
        tried.push(("DryRun", "true"));
        alice.refused(action, &tried, "400 DryRunOperationError");
        alice.refused(action, &disabled.params(action), "409 Rejected.Disabled");
    }
    alice.refused(
        "Decrypt",
        &[("CiphertextBlob", &subject.blob), ("EncryptionContext", r#"{"a":"b"}"#)],
        "400 InvalidParameter",
    );
    world.bob().refused("Decrypt", &[("CiphertextBlob", &subject.blob)], "404 Forbidden.KeyNotFound");
    let pair = Subject::of(&world, "AsymmetricSign");
    let version = [("KeyId", pair.key.as_str()), ("KeyVersionId", &pair.version)];
    let bad = [("Algorithm", "ECDSA_SHA_256"), ("Digest", HELLO)];
    world.flush();
    let signed = of_key(alice, &pair.key);
    alice.refused("AsymmetricSign", &[&version[..], &bad].concat(), "400 InvalidParameter");
    world.flush();
    assert_eq!([of_key(alice, &subject.key), of_key(alice, &disabled.key)], before);
    assert_eq!(of_key(alice, &pair.key), signed);
    assert!(world.store.faults().commits() > commits, "but for the making of the pair");
}

/// Two processes over one store, as in a cluster: what each has counted is added up.
#[test]
fn counts_of_several_processes_are_added() {
    let world = World::new();
    let key = world.key();
    let other = world.reopened();
    let blob = world.alice().encrypt(&key);
    other.advance(30);
    other.alice().decrypts(&blob);
    world.advance(10);
    world.alice().decrypts(&blob);
    other.flush();
    world.store.faults().script_commits(vec![Some(CommitFault::Conflict); 3]);
    world.flush();
    let all = json!({ "Encrypt": 1, "Decrypt": 2 });
    let again = world.reopened();
    assert_eq!(of_key(again.alice(), &key), usage(&world, START, START + 30, &all), "the latest of both");
}

#[test]
fn a_restart_keeps_what_was_stored_and_a_crash_loses_the_rest() {
    let world = World::new();
    let key = world.key();
    let blob = world.alice().encrypt(&key);
    world.flush();
    world.alice().decrypts(&blob);
    // This process dies without a word.
    let next = world.reopened();
    drop(world);
    assert_eq!(of_key(next.alice(), &key)["Calls"], json!({ "Encrypt": 1 }));
    next.alice().decrypts(&blob);
    next.flush();
    assert_eq!(of_key(next.alice(), &key)["Calls"], json!({ "Encrypt": 1, "Decrypt": 1 }));
}

/// A flush that fails loses nothing.
#[test]
fn a_flush_that_fails_is_made_up_for() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let blob = alice.encrypt(&key);
    let flush = || block_on(world.service.kms.usage.flush(&world.service.kms.vault, usize::MAX));
    for fault in [CommitFault::Unavailable, CommitFault::UnknownWithoutEffect] {
        world.store.faults().script_commits([Some(fault)]);
        assert!(flush().is_err());
    }
    world.store.faults().script_commits(vec![Some(CommitFault::Conflict); 16]);
    assert!(flush().is_err(), "not for ever");
    alice.decrypts(&blob);
    flush().unwrap();
    assert_eq!(of_key(alice, &key)["Calls"], json!({ "Encrypt": 1, "Decrypt": 1 }));
}

#[test]
fn the_last_user_is_named() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    alice.encrypt(&key);
    world.flush();
    assert_eq!(of_key(alice, &key)["LastUsedBy"], world.alice.id);
    assert_eq!(of_key(alice, &key)["Calls"]["Encrypt"], 1);
}

/// More used keys than fit in one commit, by several threads while it is being flushed.
#[test]
fn many_keys_and_threads() {
    let world = World::new();
    let keys: Vec<_> = (0..100).map(|_| world.key()).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    for key in &keys {
                        world.alice().encrypt(key);
                    }
                }
            });
        }
        for _ in 0..20 {
            world.flush();
        }
    });
    world.flush();
    for key in &keys {
        assert_eq!(of_key(world.alice(), key)["Calls"], json!({ "Encrypt": 20 }));
    }
}

/// A version that is dropped from memory and loaded again goes on counting.
#[test]
fn counts_survive_the_cache() {
    let world = World::with(crate::common::Setup { cache_entries_max: 1, ..Default::default() });
    let keys: Vec<_> = (0..10).map(|_| world.key()).collect();
    for _ in 0..5 {
        for key in &keys {
            world.alice().encrypt(key);
        }
    }
    world.flush();
    for key in &keys {
        assert_eq!(of_key(world.alice(), key)["Calls"], json!({ "Encrypt": 5 }));
    }
}

#[test]
fn a_destroyed_key_takes_its_counts_along() {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::Enabled);
    world.flush();
    assert_eq!(world.paths_with("/usage/").len(), 2);
    world.alice().decrypts(&subject.blob);
    world.alice().done("ScheduleKeyDeletion", &[("KeyId", &subject.key), ("PendingWindowInDays", "7")]);
    world.advance(7 * DAY);
    world.work();
    assert!(world.paths_with("/usage/").is_empty());
    world.flush();
    assert!(world.paths_with("/usage/").is_empty(), "late counts bring nothing back");
    assert_eq!(world.paths_with(&subject.key), [path::gone(&world.place(&subject.key)).as_str()]);
}
