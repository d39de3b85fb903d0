//! Imported material afterwards: bound to its key, expiring, deleted, brought back.

use jomae_sim::faults::CommitFault;
use serde_json::Value;

use crate::common::{
    DAY, HELLO, START, Subject, World, code_of,
    import::{Parameters, imported, parameters},
};
use jomae_api::actions::metadata::KeyState;

const BAD_MATERIAL: &str = "400 InvalidKeyMaterial";
const RPI: &str = "409 Rejected.PendingImport";
const SMF: &str = "409 Rejected.StateModifiedFailed";
const MATERIAL: [u8; 32] = [0x42; 32];

fn date(secs: i64) -> Value {
    jomae_api::time::Timestamp(secs).to_string().into()
}

fn quick(world: &World, key: &str) -> Parameters {
    parameters(world.alice(), key, "EC_SM2", "SM2PKE")
}

/// Imports with an expiry in Unix seconds, or without.
fn import(world: &World, key: &str, material: &[u8], expires_at: Option<i64>) -> String {
    let expires_at = expires_at.map(|at| at.to_string());
    let more: Vec<_> = expires_at.iter().map(|at| ("KeyMaterialExpireUnix", at.as_str())).collect();
    code_of(&quick(world, key).import(world.alice(), key, material, &more))
}

fn new_key(world: &World) -> String {
    imported(world.alice(), &[], &MATERIAL)
}

#[test]
fn a_key_is_bound_to_its_first_material() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("Origin", "EXTERNAL")]);
    assert_eq!(import(&world, &key, &[1; 16], None), BAD_MATERIAL);
    assert_eq!(import(&world, &key, &MATERIAL, None), "200", "what was refused has bound nothing");
    let (version, blob) = (alice.describe(&key)["PrimaryKeyVersion"].clone(), alice.encrypt(&key));
    assert_eq!(import(&world, &key, &[0x43; 32], None), BAD_MATERIAL);
    for _ in 0..2 {
        alice.done("DeleteKeyMaterial", &[("KeyId", &key)]);
        assert_eq!(alice.state(&key), "PendingImport");
        alice.refused("Decrypt", &[("CiphertextBlob", &blob)], RPI);
        alice.refused("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)], RPI);
        let again = world.reopened();
        assert_eq!(import(&again, &key, &[0x43; 32], None), BAD_MATERIAL, "for ever");
        assert_eq!(import(&again, &key, &MATERIAL, None), "200");
        alice.decrypts(&blob);
        again.alice().decrypts(&blob);
        let metadata = alice.describe(&key);
        assert_eq!(metadata["PrimaryKeyVersion"], version, "the version stays");
        assert_eq!(metadata["LastRotationDate"], date(START));
    }
    assert_eq!(alice.ok("ListKeyVersions", &[("KeyId", &key)])["TotalCount"], 1);
    alice.decrypts(&alice.encrypt(&key));
}

/// While it is away, no byte of the material stays in the store.
#[test]
fn deleted_material_is_gone() {
    let world = World::new();
    let key = new_key(&world);
    let at = jomae_core::record::path::version(&world.place(&key), 1);
    let with = world.dump()[at.as_str()].len();
    world.alice().done("DeleteKeyMaterial", &[("KeyId", &key)]);
    assert!(world.dump()[at.as_str()].len() + 32 < with);
    world.alice().done("DeleteKeyMaterial", &[("KeyId", &key)]);
    let never = world.alice().key(&[("Origin", "EXTERNAL")]);
    world.alice().done("DeleteKeyMaterial", &[("KeyId", &never)]);
    assert_eq!(world.alice().state(&never), "PendingImport", "a success where there is none, too");
}

#[test]
fn material_expires_on_its_second_and_comes_back() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("Origin", "EXTERNAL")]);
    let end = START + 10 * DAY;
    assert_eq!(import(&world, &key, &MATERIAL, Some(end)), "200");
    assert_eq!(alice.describe(&key)["MaterialExpireTime"], date(end));
    let blob = alice.encrypt(&key);
    world.advance(10 * DAY - 1);
    assert_eq!(world.work(), 0);
    alice.decrypts(&blob);
    world.advance(1);
    let events = world.audit.len();
    assert_eq!(world.work(), 1);
    let (event, _) = &world.audit.events()[events];
    assert_eq!((&event["eventName"], &event["eventType"]), (&"ExpireKeyMaterial".into(), &"AliyunServiceEvent".into()));
    assert_eq!(event["referencedResources"]["ACS::KMS::Key"][0], key);
    let metadata = alice.describe(&key);
    assert_eq!((&metadata["KeyState"], &metadata["MaterialExpireTime"]), (&"PendingImport".into(), &"".into()));
    alice.refused("Decrypt", &[("CiphertextBlob", &blob)], RPI);
    assert!(world.paths_with("sys/due/").is_empty());
    assert_eq!(world.work(), 0);
    assert_eq!(import(&world, &key, &[0x43; 32], None), BAD_MATERIAL);
    assert_eq!(import(&world, &key, &MATERIAL, None), "200");
    alice.decrypts(&blob);
    world.advance(1000 * DAY);
    assert_eq!(world.work(), 0, "without an expiry it stays");
}

#[test]
fn an_expiry_is_moved_by_importing_again() {
    let world = World::new();
    let alice = world.alice();
    let key = new_key(&world);
    for (expires_at, shown) in [
        (Some(START + 10 * DAY), date(START + 10 * DAY)),
        (Some(START + 5 * DAY), date(START + 5 * DAY)),
        (Some(START + 20 * DAY), date(START + 20 * DAY)),
        (Some(0), "".into()),
        (Some(START + 20 * DAY), date(START + 20 * DAY)),
        (None, "".into()),
    ] {
        assert_eq!(import(&world, &key, &MATERIAL, expires_at), "200");
        assert_eq!(alice.describe(&key)["MaterialExpireTime"], shown);
        assert_eq!(world.paths_with("sys/due/").len(), usize::from(shown != ""));
    }
    assert_eq!(import(&world, &key, &MATERIAL, Some(START + 20 * DAY)), "200");
    world.advance(15 * DAY);
    assert_eq!(world.work(), 0, "the earlier dates are forgotten");
    for past in [1, world.now() - 1, world.now(), -1, 253_402_300_800] {
        assert_eq!(import(&world, &key, &MATERIAL, Some(past)), "400 InvalidParameter", "{past}");
    }
    alice.done("DeleteKeyMaterial", &[("KeyId", &key)]);
    assert!(world.paths_with("sys/due/").is_empty(), "deleting leaves nothing to expire");
    assert_eq!(alice.describe(&key)["MaterialExpireTime"], "");
    assert_eq!(import(&world, &key, &MATERIAL, Some(world.now() + 1)), "200", "one second is enough");
}

/// Importing is no permission to use.
#[test]
fn a_disabled_key_stays_disabled() {
    let world = World::new();
    let alice = world.alice();
    let key = new_key(&world);
    let blob = alice.encrypt(&key);
    alice.done("DisableKey", &[("KeyId", &key)]);
    assert_eq!(import(&world, &key, &MATERIAL, Some(START + DAY)), "200");
    assert_eq!(alice.state(&key), "Disabled");
    alice.refused("Decrypt", &[("CiphertextBlob", &blob)], "409 Rejected.Disabled");
    alice.done("EnableKey", &[("KeyId", &key)]);
    alice.decrypts(&blob);
}

#[test]
fn a_key_that_waits_for_its_deletion() {
    let world = World::new();
    let alice = world.alice();
    for expires in [false, true] {
        let subject = Subject::of_in(&world, "ImportKeyMaterial", KeyState::Enabled);
        let key = &subject.key;
        let now = world.now();
        if expires {
            assert_eq!(import(&world, key, &[7; 32], Some(now + 3 * DAY)), "200");
        }
        alice.done("ScheduleKeyDeletion", &[("KeyId", key), ("PendingWindowInDays", "7")]);
        alice.refused("ImportKeyMaterial", &subject.params("ImportKeyMaterial"), SMF);
        if expires {
            world.advance(3 * DAY);
            assert_eq!(world.work(), 1);
        } else {
            alice.done("DeleteKeyMaterial", &[("KeyId", key)]);
        }
        let metadata = alice.describe(key);
        assert_eq!(metadata["KeyState"], "PendingDeletion", "state and date stay");
        assert_eq!(metadata["DeleteDate"], date(now + 7 * DAY));
        alice.refused("Decrypt", &[("CiphertextBlob", &subject.blob)], "409 Rejected.PendingDeletion");
        alice.done("CancelKeyDeletion", &[("KeyId", key)]);
        assert_eq!(alice.state(key), "PendingImport", "enabled it would promise what it cannot do");
        assert_eq!(import(&world, key, &[7; 32], None), "200");
        alice.decrypts(&subject.blob);
    }
}

/// With a key ends what was planned for its material.
#[test]
fn a_destroyed_key_has_nothing_left_to_expire() {
    let world = World::new();
    let key = new_key(&world);
    assert_eq!(import(&world, &key, &MATERIAL, Some(START + 100 * DAY)), "200");
    world.alice().done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")]);
    world.advance(7 * DAY);
    assert_eq!(world.work(), 1);
    let gone = jomae_core::record::path::gone(&world.place(&key));
    assert_eq!(world.paths_with(&key), [gone.as_str()]);
    world.advance(100 * DAY);
    assert_eq!(world.work(), 0);
}

#[test]
fn an_expiry_that_fails_is_made_up_for() {
    let world = World::new();
    let alice = world.alice();
    let key = new_key(&world);
    assert_eq!(import(&world, &key, &MATERIAL, Some(START + DAY)), "200");
    let blob = alice.encrypt(&key);
    world.advance(DAY);
    world.store.faults().script_commits([Some(CommitFault::Unavailable)]);
    let now = jomae_api::time::Timestamp(world.now());
    assert!(jomae_sim::block_on(world.service.do_due_work(now)).is_err());
    assert_eq!(alice.state(&key), "Enabled");
    world.advance(60);
    world.store.faults().script_commits(vec![Some(CommitFault::Conflict); 3]);
    assert_eq!(world.work(), 1);
    alice.refused("Decrypt", &[("CiphertextBlob", &blob)], RPI);
    // Late work does not take material that was imported anew meanwhile.
    assert_eq!(import(&world, &key, &MATERIAL, Some(world.now() + DAY)), "200");
    world.advance(DAY);
    assert_eq!(import(&world, &key, &MATERIAL, None), "200");
    assert_eq!(world.work(), 0);
    alice.decrypts(&blob);
}
