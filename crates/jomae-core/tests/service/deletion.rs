//! `ScheduleKeyDeletion`, `CancelKeyDeletion`, and the end of a key.

use std::sync::Arc;

use jomae_api::actions::metadata::KeyState;
use jomae_api::names::KeyPlace;
use jomae_core::record::{GoneRecord, path};
use jomae_sim::faults::CommitFault;

use crate::common::{DAY, HELLO, START, STATES, Subject, World};

const SMF: &str = "409 Rejected.StateModifiedFailed";
const NO_KEY: &str = "404 Forbidden.KeyNotFound";

fn schedule(world: &World, key: &str, days: &str) {
    world.alice().done("ScheduleKeyDeletion", &[("KeyId", key), ("PendingWindowInDays", days)]);
}

fn gone(world: &World, place: &KeyPlace) -> Option<GoneRecord> {
    world.service.kms.vault.reading().get::<GoneRecord>(&path::gone(place)).unwrap().map(|gone| (*gone).clone())
}

/// Nothing in the store names the key any more, but the note that it existed.
fn assert_gone(world: &World, key: &str, versions: &[String]) {
    let gone = path::gone(&world.place(key));
    assert_eq!(world.paths_with(key), [gone.as_str()]);
    for version in versions {
        assert!(world.paths_with(version).is_empty(), "{version}");
    }
}

#[test]
fn a_key_ends_on_its_day() {
    let world = World::new();
    let alice = world.alice();
    let subject = Subject::new(&world, KeyState::Enabled);
    let key = &subject.key;
    let bystander = Subject::new(&world, KeyState::Enabled);
    for name in ["alias/one", "alias/two"] {
        alice.done("CreateAlias", &[("AliasName", name), ("KeyId", key)]);
    }
    let version = alice.describe(key)["PrimaryKeyVersion"].as_str().unwrap().to_owned();
    schedule(&world, key, "7");
    assert_eq!(alice.describe(key)["DeleteDate"], "2027-01-22T08:00:00Z");
    world.advance(7 * DAY - 1);
    assert_eq!(world.work(), 0);
    assert_eq!(alice.state(key), "PendingDeletion");
    alice.refused("Decrypt", &[("CiphertextBlob", &subject.blob)], "409 Rejected.PendingDeletion");
    world.advance(1);
    let before = world.audit.len();
    assert_eq!(world.work(), 1);
    assert_gone(&world, key, &[version]);
    assert_eq!(gone(&world, &world.place(key)), Some(GoneRecord { created: START, destroyed: START + 7 * DAY }));
    alice.refused("Decrypt", &[("CiphertextBlob", &subject.blob)], NO_KEY);
    for action in ["DescribeKey", "EnableKey", "CancelKeyDeletion", "GenerateDataKey", "ListAliasesByKeyId"] {
        alice.refused(action, &[("KeyId", key)], NO_KEY);
    }
    for name in ["alias/one", "alias/two", &subject.alias] {
        alice.refused("DescribeKey", &[("KeyId", name)], "404 Forbidden.AliasNotFound");
        alice.done("CreateAlias", &[("AliasName", name), ("KeyId", &bystander.key)]);
    }
    assert_eq!(alice.ok("ListKeys", &[])["TotalCount"], 3, "the bystander, and each subject's other key");
    alice.decrypts(&bystander.blob);
    let (event, _) = &world.audit.events()[before];
    assert_eq!((&event["eventName"], &event["eventType"]), (&"DeleteKey".into(), &"AliyunServiceEvent".into()));
    assert_eq!(event["referencedResources"]["ACS::KMS::Key"][0], *key);
    world.advance(400 * DAY);
    assert_eq!(world.work(), 0);
    assert_gone(&world.reopened(), key, &[]);
}

#[test]
fn late_work_is_done_once() {
    let world = World::new();
    let keys: Vec<_> = (0..100).map(|_| world.key()).collect();
    for key in &keys {
        schedule(&world, key, "366");
    }
    world.advance(1000 * DAY);
    let before = world.audit.len();
    assert_eq!(world.work(), 100);
    assert_eq!(world.audit.len() - before, 100);
    assert_eq!(world.work(), 0);
    for key in &keys {
        assert_gone(&world, key, &[]);
    }
}

#[test]
fn windows() {
    let world = World::new();
    let key = world.key();
    for bad in ["6", "367", "0", "-7", "7.0", "x"] {
        let params = [("KeyId", key.as_str()), ("PendingWindowInDays", bad)];
        world.alice().refused("ScheduleKeyDeletion", &params, "400 InvalidParameter");
    }
    world.alice().refused("ScheduleKeyDeletion", &[("KeyId", &key)], "400 MissingParameter");
    schedule(&world, &key, "366");
    let again = [("KeyId", key.as_str()), ("PendingWindowInDays", "7")];
    world.alice().refused("ScheduleKeyDeletion", &again, SMF);
    assert_eq!(world.record(&key).unwrap().delete_at, Some(START + 366 * DAY));
}

#[test]
fn rescue() {
    for state in STATES {
        let world = World::new();
        let subject = Subject::new(&world, state);
        if state != KeyState::PendingDeletion {
            schedule(&world, &subject.key, "7");
        }
        world.advance(7 * DAY - 1);
        world.alice().done("CancelKeyDeletion", &[("KeyId", &subject.key)]);
        let expected = if state == KeyState::PendingImport { "PendingImport" } else { "Enabled" };
        assert_eq!(world.alice().state(&subject.key), expected);
        assert_eq!(world.alice().describe(&subject.key)["DeleteDate"], "");
        world.alice().refused("CancelKeyDeletion", &[("KeyId", &subject.key)], SMF);
        world.advance(100 * DAY);
        assert_eq!(world.work(), 0, "nothing is left to do");
        assert_eq!(world.alice().state(&subject.key), expected);
        schedule(&world, &subject.key, "7");
        world.advance(7 * DAY);
        assert_eq!(world.work(), 1);
        assert_gone(&world, &subject.key, &[]);
    }
}

/// Its destruction may have begun.
#[test]
fn no_rescue_after_the_date() {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::PendingDeletion);
    world.advance(7 * DAY);
    world.alice().refused("CancelKeyDeletion", &[("KeyId", &subject.key)], SMF);
    assert_eq!(world.alice().state(&subject.key), "PendingDeletion");
    world.work();
    assert_gone(&world, &subject.key, &[]);
}

#[test]
fn protection_stands_in_the_way() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let doomed = [("KeyId", key.as_str()), ("PendingWindowInDays", "7")];
    alice.done("SetDeletionProtection", &[("KeyId", &key), ("EnableDeletionProtection", "true")]);
    let before = world.dump();
    alice.refused("ScheduleKeyDeletion", &doomed, "409 Rejected.DeletionProtected");
    assert_eq!(world.dump(), before);
    alice.done("SetDeletionProtection", &[("KeyId", &key), ("EnableDeletionProtection", "false")]);
    alice.done("ScheduleKeyDeletion", &doomed);
}

/// A rotating key with this many versions.
fn old_key(world: &World, versions: usize) -> (String, Vec<String>, Vec<String>) {
    let key = world.alice().key(&[("EnableAutomaticRotation", "true"), ("RotationInterval", "7d")]);
    let (mut ids, mut blobs) = (Vec::new(), Vec::new());
    for number in 1..=versions {
        let made = world.alice().ok("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
        ids.push(made["KeyVersionId"].as_str().unwrap().to_owned());
        blobs.push(made["CiphertextBlob"].as_str().unwrap().to_owned());
        if number < versions {
            world.advance(7 * DAY);
            assert_eq!(world.work(), 1);
        }
    }
    (key, ids, blobs)
}

#[test]
fn a_key_with_many_versions_and_names_ends_completely() {
    let world = World::new();
    let (key, ids, blobs) = old_key(&world, 130);
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 130);
    for blob in &blobs {
        world.alice().decrypts(blob);
    }
    for number in 0..170 {
        let name = format!("alias/n{number}");
        world.alice().done("CreateAlias", &[("AliasName", &name), ("KeyId", &key)]);
    }
    schedule(&world, &key, "7");
    world.advance(7 * DAY);
    let before = world.audit.len();
    world.work();
    assert_gone(&world, &key, &ids);
    assert!(world.paths_with("alias").iter().all(|path| path.starts_with("quota/")));
    assert!(world.paths_with("sys/due/").is_empty(), "its planned rotation too");
    assert_eq!(world.audit.len() - before, 1);
    for blob in &blobs {
        world.alice().refused("Decrypt", &[("CiphertextBlob", blob)], NO_KEY);
    }
}

#[test]
fn a_planned_rotation_ends_with_its_key() {
    let world = World::new();
    let key = world.alice().key(&[("EnableAutomaticRotation", "true"), ("RotationInterval", "365d")]);
    schedule(&world, &key, "7");
    world.advance(7 * DAY);
    assert_eq!(world.work(), 1);
    assert_gone(&world, &key, &[]);
}

/// A destruction that is interrupted between its commits goes on a minute later, and nobody rescues the rest.
#[test]
fn an_interrupted_destruction() {
    for commits_before in 0..4 {
        let world = World::new();
        let (key, ids, _) = old_key(&world, 130);
        schedule(&world, &key, "8");
        world.advance(8 * DAY);
        // The rotation that has come due on the way, which has nothing to rotate.
        world.store.faults().script_commits(vec![None; commits_before + 1]);
        world.store.faults().script_commits([Some(CommitFault::Unavailable)]);
        let now = jomae_api::time::Timestamp(world.now());
        let fault = jomae_sim::block_on(world.service.do_due_work(now));
        if commits_before < 3 {
            assert!(fault.is_err(), "{commits_before}");
            assert_eq!(world.alice().state(&key), "PendingDeletion");
            world.alice().refused("CancelKeyDeletion", &[("KeyId", &key)], SMF);
            assert_eq!(world.work(), 0, "not at once");
        }
        world.advance(60);
        let world = world.reopened();
        world.work();
        assert_gone(&world, &key, &ids);
        assert!(world.paths_with("sys/due/").is_empty());
    }
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let world = World::new();
    let (one, two) = (world.key(), world.key());
    schedule(&world, &one, "7");
    world.advance(1);
    schedule(&world, &two, "7");
    world.advance(7 * DAY);
    world.store.faults().script_commits([Some(CommitFault::UnknownWithoutEffect)]);
    let now = jomae_api::time::Timestamp(world.now());
    assert!(jomae_sim::block_on(world.service.do_due_work(now)).is_err());
    assert_gone(&world, &two, &[]);
    assert_eq!(world.alice().state(&one), "PendingDeletion");
    world.advance(60);
    world.work();
    assert_gone(&world, &one, &[]);
}

/// An answer that is lost after the deed: the key is gone, and is not destroyed again.
#[test]
fn a_destruction_whose_answer_is_lost() {
    let world = World::new();
    let key = world.key();
    schedule(&world, &key, "7");
    world.advance(7 * DAY);
    world.store.faults().script_commits([Some(CommitFault::UnknownWithEffect)]);
    let now = jomae_api::time::Timestamp(world.now());
    assert!(jomae_sim::block_on(world.service.do_due_work(now)).is_err());
    assert_gone(&world, &key, &[]);
    world.advance(60);
    assert_eq!(world.work(), 0);
}

/// An alias that is pointed at another key while its old key is being destroyed stays.
#[test]
fn an_alias_saved_at_the_last_moment() {
    let world = Arc::new(World::new());
    let subject = Subject::new(&world, KeyState::PendingDeletion);
    let heir = world.key();
    world.advance(7 * DAY);
    let (elsewhere, alias, to) = (Arc::clone(&world), subject.alias.clone(), heir.clone());
    world.store.before_next_commit(move || {
        elsewhere.alice().done("UpdateAlias", &[("AliasName", &alias), ("KeyId", &to)]);
    });
    assert_eq!(world.work(), 1);
    assert_gone(&world, &subject.key, &[]);
    assert_eq!(world.alice().describe(&subject.alias)["KeyId"], heir);
    let listed = world.alice().ok("ListAliasesByKeyId", &[("KeyId", &heir)]);
    assert_eq!(listed["Aliases"]["Alias"][0]["AliasName"], subject.alias);
}

/// A key that is rescued while its destruction is being decided is not destroyed.
#[test]
fn a_rescue_in_the_last_second_wins() {
    let world = Arc::new(World::new());
    let subject = Subject::new(&world, KeyState::PendingDeletion);
    let elsewhere = Arc::clone(&world);
    let key = subject.key.clone();
    // The worker's clock is ahead of the one that the call was made by.
    world.store.before_next_commit(move || elsewhere.alice().done("CancelKeyDeletion", &[("KeyId", &key)]));
    let later = jomae_api::time::Timestamp(world.now() + 7 * DAY);
    assert!(jomae_sim::block_on(world.service.do_due_work(later)).is_ok());
    assert_eq!(world.alice().state(&subject.key), "Enabled");
    world.alice().decrypts(&subject.blob);
}
