//! What a key's state does to each call: `keys.md`, "Impact of CMK states on API call", row by row.

use jomae_api::actions::metadata::KeyState;

use crate::common::{HELLO, STATES, Subject, TAKE_ALIAS, World, actions_on_keys, code_of, kms_actions};

const RD: &str = "409 Rejected.Disabled";
const RPD: &str = "409 Rejected.PendingDeletion";
const RPI: &str = "409 Rejected.PendingImport";
const SMF: &str = "409 Rejected.StateModifiedFailed";
const OK: &str = "200";
const OPENED: &str = "400 Forbidden.Opened";

/// Enabled, Disabled, `PendingDeletion`, `PendingImport`.
const TABLE: &[(&str, [&str; 4])] = &[
    ("Encrypt", [OK, RD, RPD, RPI]),
    ("Decrypt", [OK, RD, RPD, RPI]),
    ("GenerateDataKey", [OK, RD, RPD, RPI]),
    ("GenerateDataKeyWithoutPlaintext", [OK, RD, RPD, RPI]),
    ("DescribeKey", [OK, OK, OK, OK]),
    ("ListKeys", [OK, OK, OK, OK]),
    ("ListAliases", [OK, OK, OK, OK]),
    ("ListAliasesByKeyId", [OK, OK, OK, OK]),
    ("DeleteAlias", [OK, OK, OK, OK]),
    ("UpdateKeyDescription", [OK, OK, RPD, OK]),
    ("EnableKey", [OK, OK, SMF, SMF]),
    ("DisableKey", [OK, OK, SMF, SMF]),
    ("ScheduleKeyDeletion", [OK, OK, SMF, OK]),
    ("CancelKeyDeletion", [SMF, SMF, OK, SMF]),
    ("CreateAlias", [OK, OK, SMF, OK]),
    ("UpdateAlias", [OK, OK, RPD, OK]),
    ("SetDeletionProtection", [OK, OK, RPD, OK]),
    ("CreateKey", [OK, OK, OK, OK]),
    ("DescribeRegions", [OK, OK, OK, OK]),
    ("DescribeAccountKmsStatus", [OK, OK, OK, OK]),
    ("DescribeServer", [OK, OK, OK, OK]),
    ("CreateKeyVersion", [OK, RD, RPD, RPI]),
    ("UpdateRotationPolicy", [OK, RD, RPD, RPI]),
    ("DescribeKeyVersion", [OK, OK, OK, OK]),
    ("ListKeyVersions", [OK, OK, OK, OK]),
    ("ListResourceTags", [OK, OK, OK, OK]),
    ("TagResource", [OK, OK, RPD, OK]),
    ("UntagResource", [OK, OK, RPD, OK]),
    ("GetParametersForImport", [OK, OK, OK, OK]),
    ("ImportKeyMaterial", [OK, OK, SMF, OK]),
    ("DeleteKeyMaterial", [OK, OK, OK, OK]),
    // Not in the published table: like their kin.
    ("ReEncrypt", [OK, RD, RPD, RPI]),
    ("ExportDataKey", [OK, RD, RPD, RPI]),
    ("GenerateAndExportDataKey", [OK, RD, RPD, RPI]),
    ("AsymmetricEncrypt", [OK, RD, RPD, RPI]),
    ("AsymmetricDecrypt", [OK, RD, RPD, RPI]),
    ("AsymmetricSign", [OK, RD, RPD, RPI]),
    ("AsymmetricVerify", [OK, RD, RPD, RPI]),
    ("GetPublicKey", [OK, OK, OK, RPI]),
    ("GenerateMac", [OK, RD, RPD, RPI]),
    ("VerifyMac", [OK, RD, RPD, RPI]),
    ("GetKeyPolicy", [OK, OK, OK, OK]),
    ("SetKeyPolicy", [OK, OK, RPD, OK]),
    ("ListTagResources", [OK, OK, OK, OK]),
    ("TagResources", [OK, OK, RPD, OK]),
    ("UntagResources", [OK, OK, RPD, OK]),
    ("OpenKmsService", [OPENED, OPENED, OPENED, OPENED]),
];

/// The state after a call that succeeded, where it is another one.
fn state_after(action: &str, state: KeyState) -> KeyState {
    match action {
        "EnableKey" | "CancelKeyDeletion" => KeyState::Enabled,
        "DisableKey" => KeyState::Disabled,
        "ScheduleKeyDeletion" => KeyState::PendingDeletion,
        "DeleteKeyMaterial" if state != KeyState::PendingDeletion => KeyState::PendingImport,
        "ImportKeyMaterial" if state == KeyState::PendingImport => KeyState::Enabled,
        _ => state,
    }
}

#[test]
fn every_action_in_every_state() {
    assert_eq!(TABLE.len(), kms_actions().count());
    for (action, row) in TABLE {
        for (state, expected) in STATES.into_iter().zip(row) {
            let world = World::new();
            let subject = Subject::of_in(&world, action, state);
            let before = world.dump();
            check(&world, &subject, action, expected, state);
            let after = world.record(&subject.key).unwrap();
            if *expected == OK {
                assert_eq!(after.state, state_after(action, state), "{action} in {state:?}");
            } else {
                assert_eq!(world.dump(), before, "{action} in {state:?} changed something");
            }
        }
    }
}

fn check(world: &World, subject: &Subject, action: &str, expected: &str, state: KeyState) {
    let answer = world.alice().call(action, &subject.params(action));
    assert_eq!(code_of(&answer), expected, "{action} in {state:?}");
}

/// The table holds for a key that is named by its alias too.
#[test]
fn states_hold_behind_an_alias() {
    for (action, row) in TABLE.iter().filter(|(action, _)| TAKE_ALIAS.contains(action)) {
        for (state, expected) in STATES.into_iter().zip(row) {
            let world = World::new();
            let mut subject = Subject::of_in(&world, action, state);
            subject.key.clone_from(&subject.alias);
            check(&world, &subject, action, expected, state);
        }
    }
}

#[test]
fn an_external_key_without_material() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("Origin", "EXTERNAL")]);
    assert_eq!(alice.state(&key), "PendingImport");
    alice.refused("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)], RPI);
    alice.refused("EnableKey", &[("KeyId", &key)], SMF);
    alice.refused("CancelKeyDeletion", &[("KeyId", &key)], SMF);
    alice.done("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", "7")]);
    alice.done("CancelKeyDeletion", &[("KeyId", &key)]);
    assert_eq!(alice.state(&key), "PendingImport", "enabling it would promise what it cannot do");
}

/// `UpdateAlias` looks only at the key that the alias is to name.
#[test]
fn the_old_key_of_an_alias_does_not_matter() {
    for state in STATES {
        let world = World::new();
        let subject = Subject::new(&world, state);
        let new = world.key();
        world.alice().done("UpdateAlias", &[("AliasName", &subject.alias), ("KeyId", &new)]);
        assert_eq!(world.alice().describe(&subject.alias)["KeyId"], new);
    }
}

#[test]
fn a_disabled_key_is_enabled_when_it_is_rescued() {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::Disabled);
    world.alice().done("ScheduleKeyDeletion", &[("KeyId", &subject.key), ("PendingWindowInDays", "7")]);
    world.alice().done("CancelKeyDeletion", &[("KeyId", &subject.key)]);
    assert_eq!(world.alice().state(&subject.key), "Enabled");
    world.alice().decrypts(&subject.blob);
}

#[test]
fn the_table_names_every_action_on_keys() {
    for spec in actions_on_keys() {
        assert!(TABLE.iter().any(|(action, _)| *action == spec.name), "{}", spec.name);
    }
}
