//! The description of a key in answers.

use serde::Serialize;

pub use crate::spec::{KeySpec, KeyUsage};
use crate::{
    names::{AccountId, KeyId, KeyVersionId},
    time::Timestamp,
};

/// Who made the key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub enum KeyOrigin {
    /// This service.
    #[serde(rename = "Aliyun_KMS")]
    AliyunKms,
    /// The caller, who imports it.
    #[serde(rename = "EXTERNAL")]
    External,
}

/// Where a key stands in its life (`keys.md`, "Key states").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub enum KeyState {
    Enabled,
    Disabled,
    PendingDeletion,
    PendingImport,
}

/// Whether new versions are made by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum AutomaticRotation {
    Enabled,
    Disabled,
    /// The policy is on, but the key is Disabled or `PendingDeletion`.
    Suspended,
}

/// `KeyMetadata` of `CreateKey` and `DescribeKey`. Texts that do not apply are empty, not absent, where the samples show it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyMetadata {
    pub key_id: KeyId,
    pub arn: String,
    pub creator: AccountId,
    pub creation_date: Timestamp,
    pub description: String,
    pub key_spec: KeySpec,
    pub key_usage: KeyUsage,
    pub key_state: KeyState,
    pub origin: KeyOrigin,
    pub protection_level: &'static str,
    /// Absent for an EXTERNAL key that has never had material.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key_version: Option<KeyVersionId>,
    pub delete_date: DateOrEmpty,
    pub material_expire_time: DateOrEmpty,
    pub last_rotation_date: Timestamp,
    pub automatic_rotation: AutomaticRotation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation_date: Option<Timestamp>,
    /// `DescribeKey` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<&'static str>,
    /// `DescribeKey` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection_description: Option<String>,
}

/// Extension: what a key, or a version, has been used for. Counted in memory and stored every few seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UsageStatistics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_used: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// The access key of the last caller.
    pub last_used_by: String,
    /// Successful calls by action.
    pub calls: std::collections::BTreeMap<String, u64>,
}

/// A date, or the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateOrEmpty(pub Option<Timestamp>);

impl Serialize for DateOrEmpty {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(date) => date.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}
