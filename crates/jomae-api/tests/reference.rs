//! The reference in `docs/` is the one that the declarations give. `JOMAE_UPDATE=1` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]
#![expect(clippy::disallowed_methods, reason = "the contract reads no files; this test compares some with it")]

use std::{collections::BTreeMap, path::Path};

use jomae_api::{
    actions::{
        ACTIONS,
        aliases::list_aliases::AliasRow,
        keys::list_keys::KeyRow,
        metadata::{
            AutomaticRotation, DateOrEmpty, KeyMetadata, KeyOrigin, KeySpec, KeyState, KeyUsage, UsageStatistics,
        },
        service::describe_regions::RegionRow,
        tags::{list_resource_tags::TagRow, resource::TagResourceRow},
        versions::create_key_version::KeyVersionRow,
    },
    describe::{
        self, Member, Shape,
        members::{
            ALIAS_ROW, KEY_METADATA, KEY_ROW, KEY_VERSION, REGION_ROW, TAG_RESOURCE_ROW, TAG_ROW, USAGE_STATISTICS,
        },
    },
    error::Refusal,
    names::{AccountId, KeyId, KeyVersionId, RegionId},
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
fn every_member_is_described() {
    for spec in ACTIONS {
        for name in spec.output {
            assert!(describe::member(spec.name, name).is_some(), "{} {name}", spec.name);
        }
    }
}

#[test]
fn every_refusal_has_a_place() {
    for refusal in Refusal::ALL {
        let is_declared = ACTIONS.iter().any(|spec| spec.errors.iter().any(|declared| declared == refusal));
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
        Some(value) => match member.shape {
            Shape::Text | Shape::Base64 => value.is_string(),
            Shape::Date => value.as_str().is_some_and(|text| text.ends_with('Z')),
            Shape::DateOrEmpty => value.as_str().is_some_and(|text| text.is_empty() || text.ends_with('Z')),
            Shape::Integer => value.is_u64(),
            Shape::Boolean => value.is_boolean(),
            Shape::Choice(names) => value.as_str().is_some_and(|text| names().contains(&text)),
            Shape::Object(members) => fits(members, value),
            Shape::List(row, members) => value[row].as_array().unwrap().iter().all(|row| fits(members, row)),
            Shape::Counts => value.as_object().unwrap().values().all(Value::is_u64),
            Shape::Events => value.as_array().unwrap().iter().all(Value::is_object),
        },
    };
    members.iter().all(has) && object.keys().all(|name| members.iter().any(|member| member.name == name))
}

fn described_as(members: &[Member], value: impl serde::Serialize) {
    let value = serde_json::to_value(value).unwrap();
    assert!(fits(members, &value), "{value}");
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
        described_as(
            KEY_METADATA,
            KeyMetadata {
                key_id: key_id(),
                arn: text(),
                creator: AccountId::new("1234567890123456").unwrap(),
                creation_date: date,
                description: text(),
                key_spec: KeySpec::ALL[at],
                key_usage: KeyUsage::ALL[at % 3],
                key_state: states[at % 4],
                origin: origins[at % 2],
                protection_level: "SOFTWARE",
                primary_key_version: given.then(version),
                delete_date: DateOrEmpty(given.then_some(date)),
                material_expire_time: DateOrEmpty(given.then_some(date)),
                last_rotation_date: date,
                automatic_rotation: rotation[at % 3],
                rotation_interval: given.then(text),
                next_rotation_date: given.then_some(date),
                deletion_protection: given.then_some("Enabled"),
                deletion_protection_description: given.then(text),
            },
        );
    }
    for moment in [None, Some(date)] {
        let calls = BTreeMap::from([("Encrypt".to_owned(), 1)]);
        let statistics = UsageStatistics { first_used: moment, last_used: moment, last_used_by: text(), calls };
        described_as(USAGE_STATISTICS, statistics);
    }
    described_as(KEY_VERSION, KeyVersionRow { key_id: key_id(), key_version_id: version(), creation_date: date });
    described_as(KEY_ROW, KeyRow { key_id: key_id(), key_arn: text() });
    described_as(ALIAS_ROW, AliasRow { alias_name: text(), alias_arn: text(), key_id: key_id() });
    described_as(TAG_ROW, TagRow { key_id: key_id(), tag_key: text(), tag_value: text() });
    let tag = TagResourceRow { resource_id: key_id(), resource_type: "key", tag_key: text(), tag_value: text() };
    described_as(TAG_RESOURCE_ROW, tag);
    described_as(REGION_ROW, RegionRow { region_id: RegionId::new("cn-hangzhou").unwrap() });
}

#[test]
fn policies_and_roles_are_as_described() {
    use jomae_api::{
        actions::ram::{
            policies::{
                list_entities_for_policy::{GroupRow, RoleRow as RoleWithPolicy, UserRow},
                params::{AttachedRow, PolicyRow, PolicyType, VersionRow},
            },
            roles::params::RoleRow,
        },
        describe::policies,
    };
    let (date, text) = (Timestamp(1), String::new);
    for (kind, given) in [(PolicyType::System, true), (PolicyType::Custom, false)] {
        let row = PolicyRow {
            policy_name: text(),
            policy_type: kind,
            description: text(),
            default_version: text(),
            create_date: date,
            update_date: date,
            attachment_count: given.then_some(1),
        };
        described_as(policies::POLICY, row);
        let document = given.then(text);
        let row = RoleRow {
            role_id: text(),
            role_name: text(),
            arn: text(),
            description: text(),
            create_date: date,
            update_date: date,
            max_session_duration: 3600,
            allow_console_login: false,
            assume_role_policy_document: document,
        };
        described_as(policies::ROLE, row);
        let row = AttachedRow {
            policy_name: text(),
            policy_type: kind,
            description: text(),
            default_version: text(),
            attach_date: date,
        };
        described_as(policies::ATTACHED_POLICY, row);
        let row =
            VersionRow { version_id: text(), is_default_version: given, create_date: date, policy_document: text() };
        described_as(policies::POLICY_VERSION, row);
    }
    let user = UserRow { user_id: text(), user_name: text(), display_name: text(), attach_date: date };
    described_as(policies::USER_WITH_POLICY, user);
    described_as(policies::GROUP_WITH_POLICY, GroupRow { group_name: text(), comments: text(), attach_date: date });
    let role =
        RoleWithPolicy { role_id: text(), role_name: text(), arn: text(), description: text(), attach_date: date };
    described_as(policies::ROLE_WITH_POLICY, role);
}

#[test]
fn users_groups_and_access_keys_are_as_described() {
    use jomae_api::{
        action::SecretText,
        actions::ram::{
            access_keys::{
                Status, create_access_key::NewAccessKey, get_access_key_last_used::LastUsed,
                list_access_keys::AccessKeyRow,
            },
            groups::{GroupInfo, list_groups_for_user::JoinedGroup, list_users_for_group},
            users::UserInfo,
        },
        describe::members::{
            ACCESS_KEY_LAST_USED, ACCESS_KEY_ROW, GROUP, GROUP_MEMBER, JOINED_GROUP, NEW_ACCESS_KEY, USER,
        },
    };
    let (date, text) = (Timestamp(1), String::new);
    for update_date in [None, Some(date)] {
        let user = UserInfo {
            user_id: text(),
            user_name: text(),
            display_name: text(),
            mobile_phone: text(),
            email: text(),
            comments: text(),
            create_date: date,
            update_date,
        };
        described_as(USER, user);
        let group =
            GroupInfo { group_id: text(), group_name: text(), comments: text(), create_date: date, update_date };
        described_as(GROUP, group);
        described_as(ACCESS_KEY_LAST_USED, LastUsed { last_used_date: DateOrEmpty(update_date), service_name: text() });
    }
    let member = list_users_for_group::Member { user_name: text(), display_name: text(), join_date: date };
    described_as(GROUP_MEMBER, member);
    let joined = JoinedGroup { group_id: text(), group_name: text(), comments: text(), join_date: date };
    described_as(JOINED_GROUP, joined);
    for status in [Status::Active, Status::Inactive] {
        described_as(ACCESS_KEY_ROW, AccessKeyRow { access_key_id: text(), status, create_date: date });
        let secret = SecretText(jomae_crypto::secret::SecretBytes::new(b"secret".to_vec()));
        let new = NewAccessKey { access_key_id: text(), access_key_secret: secret, status, create_date: date };
        described_as(NEW_ACCESS_KEY, new);
    }
}
