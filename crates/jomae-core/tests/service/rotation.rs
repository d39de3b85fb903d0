//! Automatic rotation.

use jomae_core::record::path;
use jomae_sim::faults::CommitFault;
use serde_json::Value;

use crate::common::{DAY, START, World};

const WEEK: i64 = 7 * DAY;

fn rotating(world: &World) -> String {
    world.alice().key(&[("EnableAutomaticRotation", "true"), ("RotationInterval", "7d")])
}

fn version(world: &World, key: &str) -> String {
    world.alice().describe(key)["PrimaryKeyVersion"].as_str().unwrap().to_owned()
}

fn dates(world: &World, key: &str) -> (Value, Value, Value) {
    let metadata = world.alice().describe(key);
    let member = |name: &str| metadata[name].clone();
    (member("AutomaticRotation"), member("LastRotationDate"), member("NextRotationDate"))
}

fn date(secs: i64) -> Value {
    jomae_api::time::Timestamp(secs).to_string().into()
}

fn versions(world: &World, key: &str) -> usize {
    world.paths_with(&path::versions(&world.place(key))).len()
}

#[test]
fn a_key_rotates_on_its_day() {
    let world = World::new();
    let (key, alice) = (rotating(&world), world.alice());
    let mut blobs = vec![alice.encrypt(&key)];
    let mut ids = vec![version(&world, &key)];
    for week in 1..=4 {
        world.advance(WEEK - 1);
        assert_eq!(world.work(), 0);
        assert_eq!(version(&world, &key), ids[ids.len() - 1]);
        world.advance(1);
        let before = world.audit.len();
        assert_eq!(world.work(), 1);
        assert_eq!(dates(&world, &key), ("Enabled".into(), date(START + week * WEEK), date(START + (week + 1) * WEEK)));
        let (event, _) = &world.audit.events()[before];
        assert_eq!((&event["eventName"], &event["eventRW"]), (&"RotateKey".into(), &"Write".into()));
        assert_eq!(event["referencedResources"]["ACS::KMS::Key"][0], key);
        assert_eq!(event["userIdentity"]["type"], "system");
        assert!(event.get("sourceIpAddress").is_none());
        blobs.push(alice.encrypt(&key));
        ids.push(version(&world, &key));
        assert_ne!(ids[ids.len() - 1], ids[ids.len() - 2]);
    }
    let again = world.reopened();
    for (blob, id) in blobs.iter().zip(&ids) {
        for world in [&world, &again] {
            let opened = world.alice().ok("Decrypt", &[("CiphertextBlob", blob)]);
            assert_eq!(opened["KeyVersionId"], id.as_str(), "old versions decrypt for ever, each its own");
        }
    }
    assert_eq!(versions(&world, &key), 5);
}

#[test]
fn a_late_rotation_runs_once() {
    let world = World::new();
    let key = rotating(&world);
    world.advance(10 * WEEK + 5);
    assert_eq!(world.work(), 1);
    assert_eq!(versions(&world, &key), 2);
    let now = START + 10 * WEEK + 5;
    assert_eq!(dates(&world, &key), ("Enabled".into(), date(now), date(now + WEEK)));
    assert_eq!(world.work(), 0);
}

#[test]
fn a_disabled_key_does_not_rotate_until_it_works_again() {
    let world = World::new();
    let (key, alice) = (rotating(&world), world.alice());
    alice.done("DisableKey", &[("KeyId", &key)]);
    assert_eq!(dates(&world, &key).0, "Suspended");
    world.advance(3 * WEEK);
    world.work();
    assert_eq!(versions(&world, &key), 1);
    let before = world.audit.len();
    alice.done("EnableKey", &[("KeyId", &key)]);
    assert_eq!(world.audit.len(), before + 1);
    assert_eq!(dates(&world, &key).0, "Enabled");
    assert_eq!(world.work(), 1, "what was missed is made up for, once");
    assert_eq!(versions(&world, &key), 2);
    assert_eq!(dates(&world, &key).2, date(START + 4 * WEEK));
    // Switched off and on before the date: the plan stays.
    alice.done("DisableKey", &[("KeyId", &key)]);
    alice.done("EnableKey", &[("KeyId", &key)]);
    assert_eq!(world.paths_with("sys/due/").len(), 1);
    world.advance(WEEK);
    assert_eq!(world.work(), 1);
    assert_eq!(versions(&world, &key), 3);
}

#[test]
fn a_doomed_key_does_not_rotate_until_it_is_rescued() {
    let world = World::new();
    let (key, alice) = (rotating(&world), world.alice());
    alice.done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "30")]);
    assert_eq!(dates(&world, &key).0, "Suspended");
    world.advance(2 * WEEK);
    world.work();
    assert_eq!(versions(&world, &key), 1);
    alice.done("CancelKeyDeletion", &[("KeyId", &key)]);
    assert_eq!(dates(&world, &key).0, "Enabled");
    assert_eq!(world.work(), 1);
    assert_eq!(versions(&world, &key), 2);
    world.advance(100 * DAY);
    world.work();
    assert_eq!(alice.state(&key), "Enabled");
}

#[test]
fn a_rotation_that_fails_is_made_up_for() {
    let world = World::new();
    let (key, alice) = (rotating(&world), world.alice());
    let blob = alice.encrypt(&key);
    world.advance(WEEK);
    for fault in [CommitFault::Unavailable, CommitFault::UnknownWithoutEffect] {
        world.store.faults().script_commits([Some(fault)]);
        let now = jomae_api::time::Timestamp(world.now());
        assert!(jomae_sim::block_on(world.service.do_due_work(now)).is_err());
        assert_eq!(versions(&world, &key), 1);
        assert_eq!(world.work(), 0);
        world.advance(60);
    }
    world.store.faults().script_commits(vec![Some(CommitFault::Conflict); 5]);
    assert_eq!(world.work(), 1);
    assert_eq!(versions(&world, &key), 2);
    alice.decrypts(&blob);
    alice.decrypts(&alice.encrypt(&key));
    assert_eq!(world.paths_with("sys/due/").len(), 1);
}

#[test]
fn without_an_audit_log_there_is_no_work() {
    let world = World::new();
    let key = rotating(&world);
    world.advance(WEEK);
    world.audit.unwritable.store(true, std::sync::atomic::Ordering::SeqCst);
    let before = world.dump();
    let now = jomae_api::time::Timestamp(world.now());
    assert!(jomae_sim::block_on(world.service.do_due_work(now)).is_err());
    assert_eq!(world.dump(), before);
    world.audit.unwritable.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.work(), 1);
    assert_eq!(versions(&world, &key), 2);
}
