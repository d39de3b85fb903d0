//! The description of a key in answers.

use std::collections::BTreeMap;

use serde::Serialize;

pub use crate::spec::{KeySpec, KeyUsage};
use crate::{
    actions::prelude::*,
    answer::{Shape, Value, wire_enum},
};

wire_enum!(
    /// Who made the key material.
    KeyOrigin {
        /// This service.
        AliyunKms = "Aliyun_KMS",
        /// The caller, who imports it.
        External = "EXTERNAL",
    }
);

wire_enum!(
    /// Where the key material is used.
    ProtectionLevel {
        /// In the memory of the service.
        Software = "SOFTWARE",
        /// In a token, which it never leaves.
        Hsm = "HSM",
    }
);

impl ProtectionLevel {
    /// That of keys that say nothing.
    pub const fn is_software(&self) -> bool {
        matches!(self, Self::Software)
    }
}

wire_enum!(
    /// Where a key stands in its life (`keys.md`, "Key states").
    KeyState {
        Enabled = "Enabled",
        Disabled = "Disabled",
        PendingDeletion = "PendingDeletion",
        PendingImport = "PendingImport",
    }
);

wire_enum!(
    /// Whether new versions are made by themselves.
    AutomaticRotation {
        Enabled = "Enabled",
        Disabled = "Disabled",
        /// The policy is on, but the key is Disabled or `PendingDeletion`.
        Suspended = "Suspended",
    }
);

wire_enum!(
    /// Whether a protection is on.
    OnOrOff {
        Enabled = "Enabled",
        Disabled = "Disabled",
    }
);

impl OnOrOff {
    /// `Enabled` for true.
    pub const fn of(on: bool) -> Self {
        if on { Self::Enabled } else { Self::Disabled }
    }
}

answer! {
    /// `KeyMetadata` of `CreateKey` and `DescribeKey`. Texts that do not apply are empty, not absent, where the
    /// samples show it.
    #[derive(Debug)]
    pub struct KeyMetadata {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// Full name of the key.
        arn: String => "Arn",
        /// Account that made the key.
        creator: AccountId => "Creator",
        /// When it was made.
        creation_date: Timestamp => "CreationDate",
        /// What the key is for.
        description: String => "Description",
        /// What kind of key it is.
        key_spec: KeySpec => "KeySpec",
        /// What it may do.
        key_usage: KeyUsage => "KeyUsage",
        /// Where it stands in its life.
        key_state: KeyState => "KeyState",
        /// Who made the material.
        origin: KeyOrigin => "Origin",
        /// Where the material is used.
        protection_level: ProtectionLevel => "ProtectionLevel",
        /// The version that encrypts; of an asymmetric key the first one. Absent for an EXTERNAL key that never had
        /// material.
        primary_key_version: Option<KeyVersionId> => "PrimaryKeyVersion",
        /// When the key will be destroyed.
        delete_date: DateOrEmpty => "DeleteDate",
        /// When imported material will be forgotten.
        material_expire_time: DateOrEmpty => "MaterialExpireTime",
        /// When the newest version was made.
        last_rotation_date: Timestamp => "LastRotationDate",
        /// Suspended: on, but the key is Disabled or PendingDeletion.
        automatic_rotation: AutomaticRotation => "AutomaticRotation",
        /// Seconds between rotations, with an s behind, while rotation is on.
        rotation_interval: Option<String> => "RotationInterval",
        /// When the next version will be made, while rotation is on.
        next_rotation_date: Option<Timestamp> => "NextRotationDate",
        /// DescribeKey only.
        deletion_protection: Option<OnOrOff> => "DeletionProtection",
        /// DescribeKey only: why it is protected.
        deletion_protection_description: Option<String> => "DeletionProtectionDescription",
    }

    /// Extension: what a key, or a version, has been used for. Counted in memory and stored every few seconds.
    #[derive(Debug)]
    pub struct UsageStatistics {
        /// First use.
        first_used: Option<Timestamp> => "FirstUsed",
        /// Last use.
        last_used: Option<Timestamp> => "LastUsed",
        /// Access key of the last caller.
        last_used_by: String => "LastUsedBy",
        /// Successful calls by action.
        calls: BTreeMap<String, u64> => "Calls",
    }
}

/// A date, or the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateOrEmpty(pub Option<Timestamp>);

impl Value for DateOrEmpty {
    const SHAPE: Shape = Shape::DateOrEmpty;
}

impl Serialize for DateOrEmpty {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(date) => date.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}
