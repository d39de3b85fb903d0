//! The reference in `docs/` is the one that the declarations give. `JOMAE_UPDATE=1` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]
#![expect(clippy::disallowed_methods, reason = "the contract reads no files; this test compares some with it")]

use std::{collections::BTreeMap, path::Path};

use jomae_api::{
    actions::{
        ACTIONS,
        metadata::{
            AutomaticRotation, DateOrEmpty, KeyMetadata, KeyOrigin, KeySpec, KeyState, KeyUsage, OnOrOff,
            ProtectionLevel, UsageStatistics,
        },
        ram::{
            access_keys::{Status, create_access_key::NewAccessKey, get_access_key_last_used::LastUsed},
            policies::params::{PolicyRow, PolicyType},
        },
        versions::create_key_version::KeyVersionRow,
    },
    answer::{List, Member, SecretText, Shape, Value as Shaped},
    describe,
    error::Refusal,
    names::{AccountId, KeyId, KeyVersionId},
    time::Timestamp,
};
use serde_json::Value;

fn is_current(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var("JOMAE_UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(&path, generated).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == generated, "docs/{name} is not current: JOMAE_UPDATE=1 cargo test -p jomae-api --test reference");
}

#[test]
fn the_reference_is_current() {
    is_current("api.md", &describe::markdown().unwrap());
}

#[test]
fn the_description_for_machines_is_current() {
    let generated = describe::openapi().unwrap();
    let parsed: Value = serde_json::from_str(&generated).unwrap();
    assert_eq!(parsed["paths"].as_object().unwrap().len(), ACTIONS.len());
    is_current("openapi.json", &generated);
}

#[test]
fn every_refusal_has_a_place() {
    for refusal in Refusal::ALL {
        let is_declared = ACTIONS.iter().any(|spec| spec.refusals().contains(refusal));
        let is_of_dry_run = format!("{refusal:?}").starts_with("DryRun");
        let places = [is_declared, is_of_dry_run, describe::is_of_every_call(refusal)];
        assert_eq!(places.iter().filter(|place| **place).count(), 1, "{refusal:?}");
    }
}

#[test]
fn every_permission_is_one_of_ram() {
    for described in describe::ALL {
        for need in described.needs().unwrap() {
            let service = described.spec.api().prefix();
            let is_named = need.ram_action.is_some_and(|action| action.split(':').next() == Some(service));
            let needs_none = ["DescribeRegions", "GetCallerIdentity"].contains(&described.spec.name);
            assert_eq!(is_named, !needs_none, "{}", described.spec.name);
            assert_eq!(is_named, !need.resource.is_empty(), "{}", described.spec.name);
        }
    }
}

/// Whether a value has the members that are described, and no others.
fn fits(members: &[Member], value: &Value) -> bool {
    let object = value.as_object().unwrap();
    let has = |member: &Member| match object.get(member.name) {
        None => member.optional,
        Some(value) => is_of(member.shape, value),
    };
    members.iter().all(has) && object.keys().all(|name| members.iter().any(|member| member.name == name))
}

fn is_of(shape: Shape, value: &Value) -> bool {
    match shape {
        Shape::Text | Shape::Base64 => value.is_string(),
        Shape::Date => value.as_str().is_some_and(|text| text.ends_with('Z')),
        Shape::DateOrEmpty => value.as_str().is_some_and(|text| text.is_empty() || text.ends_with('Z')),
        Shape::Integer => value.is_u64(),
        Shape::Boolean => value.is_boolean(),
        Shape::Choice(names) => value.as_str().is_some_and(|text| names().contains(&text)),
        Shape::Object(members) => fits(members, value),
        Shape::List(row, members) => value[row].as_array().unwrap().iter().all(|row| fits(members, row)),
        Shape::Counts => value.as_object().unwrap().values().all(Value::is_u64),
        Shape::Objects(members) => value.as_array().unwrap().iter().all(|row| fits(members, row)),
        Shape::Texts => value.as_array().unwrap().iter().all(Value::is_string),
        Shape::Events => value.as_array().unwrap().iter().all(Value::is_object),
    }
}

fn described_as<T: Shaped + serde::Serialize>(value: T) {
    let value = serde_json::to_value(value).unwrap();
    assert!(is_of(T::SHAPE, &value), "{value}");
}

#[test]
fn rows_are_as_described() {
    let key_id = || KeyId::new("05754286-3ba2-4fa6-8d41-4323aca6e5fd").unwrap();
    let version = || KeyVersionId::new("2ab1a983-7072-4bbc-a582-584b5bd8e9a1").unwrap();
    let (date, text) = (Timestamp(1), String::new);
    let states = [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion, KeyState::PendingImport];
    let rotation = [AutomaticRotation::Enabled, AutomaticRotation::Disabled, AutomaticRotation::Suspended];
    let origins = [KeyOrigin::AliyunKms, KeyOrigin::External];
    for at in 0..12 {
        let given = at % 2 == 0;
        described_as(KeyMetadata {
            key_id: key_id(),
            arn: text(),
            creator: AccountId::new("1234567890123456").unwrap(),
            creation_date: date,
            description: text(),
            key_spec: KeySpec::ALL[at],
            key_usage: KeyUsage::ALL[at % 3],
            key_state: states[at % 4],
            origin: origins[at % 2],
            protection_level: ProtectionLevel::Software,
            primary_key_version: given.then(version),
            delete_date: DateOrEmpty(given.then_some(date)),
            material_expire_time: DateOrEmpty(given.then_some(date)),
            last_rotation_date: date,
            automatic_rotation: rotation[at % 3],
            rotation_interval: given.then(text),
            next_rotation_date: given.then_some(date),
            deletion_protection: given.then_some(OnOrOff::of(at % 4 == 0)),
            deletion_protection_description: given.then(text),
        });
    }
    for moment in [None, Some(date)] {
        let calls = BTreeMap::from([("Encrypt".to_owned(), 1)]);
        described_as(UsageStatistics { first_used: moment, last_used: moment, last_used_by: text(), calls });
    }
    described_as(List(vec![KeyVersionRow { key_id: key_id(), key_version_id: version(), creation_date: date }]));
    for (kind, given) in [(PolicyType::System, true), (PolicyType::Custom, false)] {
        described_as(PolicyRow {
            policy_name: text(),
            policy_type: kind,
            description: text(),
            default_version: text(),
            create_date: date,
            update_date: date,
            attachment_count: given.then_some(1),
        });
        described_as(LastUsed { last_used_date: DateOrEmpty(given.then_some(date)), service_name: text() });
    }
    for status in [Status::Active, Status::Inactive] {
        let secret = SecretText(jomae_crypto::secret::SecretBytes::new(b"secret".to_vec()));
        described_as(NewAccessKey { access_key_id: text(), access_key_secret: secret, status, create_date: date });
    }
}
