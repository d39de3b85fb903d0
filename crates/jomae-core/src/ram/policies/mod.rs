//! Policies, their versions, and to whom they are attached. One file an action.

mod attach_policy_to_group;
mod attach_policy_to_role;
mod attach_policy_to_user;
mod attachments;
mod create_policy;
mod create_policy_version;
mod decode_diagnostic_message;
mod delete_policy;
mod delete_policy_version;
mod detach_policy_from_group;
mod detach_policy_from_role;
mod detach_policy_from_user;
mod get_policy;
mod get_policy_version;
mod list_entities_for_policy;
mod list_policies;
mod list_policies_for_group;
mod list_policies_for_role;
mod list_policies_for_user;
mod list_policy_versions;
mod set_default_policy_version;
mod update_policy_description;

use std::sync::Arc;

use jomae_api::actions::ram::policies::params::{PolicyRef, PolicyRow, PolicyType, VersionRow, version_id};

use super::{
    find,
    record::{PolicyRecord, PolicyVersion, path},
    scan,
};
use crate::{
    policy::{SystemPolicy, system_policy},
    prelude::*,
};

/// When the policies of the service were made, for all that the wire wants to know: with version 2015-05-01 of RAM.
const SYSTEM_POLICIES_CREATED: Timestamp = Timestamp(1_430_438_400);

/// A policy that exists.
enum AnyPolicy {
    System(&'static SystemPolicy),
    Custom(Arc<PolicyRecord>),
}

/// The policy of this name, or `EntityNotExist.Policy`.
fn found(tx: &mut Tx<'_>, account: &AccountId, policy: &PolicyRef) -> Result<AnyPolicy> {
    match policy.kind {
        PolicyType::System => system_policy(&policy.name).map(AnyPolicy::System).ok_or(Refusal::PolicyNotFound.into()),
        PolicyType::Custom => find::policy(tx, account, &policy.name).map(AnyPolicy::Custom),
    }
}

/// A policy of the service as a row. Its attachments are counted; nobody keeps their number.
fn system_row(tx: &Tx<'_>, account: &AccountId, policy: &SystemPolicy) -> Result<PolicyRow, Fault> {
    let attachments = path::attachments(account, (PolicyType::System, policy.name));
    Ok(PolicyRow {
        policy_name: policy.name.to_owned(),
        policy_type: PolicyType::System,
        description: policy.description.to_owned(),
        default_version: policy.version.to_owned(),
        create_date: SYSTEM_POLICIES_CREATED,
        update_date: SYSTEM_POLICIES_CREATED,
        attachment_count: Some(scan::count(tx, &attachments)?),
    })
}

fn system_version(policy: &SystemPolicy) -> VersionRow {
    VersionRow {
        version_id: policy.version.to_owned(),
        is_default_version: true,
        create_date: SYSTEM_POLICIES_CREATED,
        policy_document: policy.document.to_owned(),
    }
}

fn custom_row(policy: &PolicyRecord) -> PolicyRow {
    PolicyRow {
        policy_name: policy.name.clone(),
        policy_type: PolicyType::Custom,
        description: policy.description.clone(),
        default_version: version_id(policy.default_version),
        create_date: Timestamp(policy.created),
        update_date: Timestamp(policy.updated),
        attachment_count: Some(policy.attachments),
    }
}

fn custom_version(policy: &PolicyRecord, version: &PolicyVersion) -> VersionRow {
    VersionRow {
        version_id: version_id(version.number),
        is_default_version: version.number == policy.default_version,
        create_date: Timestamp(version.created),
        policy_document: version.document.clone(),
    }
}

/// The version of this number, or `EntityNotExist.Policy.Version`.
fn version_of(policy: &PolicyRecord, number: u32) -> Result<&PolicyVersion> {
    policy.versions.iter().find(|version| version.number == number).ok_or(Refusal::PolicyVersionNotFound.into())
}
