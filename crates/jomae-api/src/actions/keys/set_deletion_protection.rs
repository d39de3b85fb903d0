//! `SetDeletionProtection`: guard a key against deletion.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

/// A request of the action `SetDeletionProtection`.
pub struct SetDeletionProtection {
    /// By its ID or full name, which must agree if both are given.
    pub key: KeyRef,
    /// Whether ScheduleKeyDeletion is refused from now on.
    pub enable: bool,
    /// Why; empty if none was given.
    pub description: String,
}

param! {
    /// On or off.
    ENABLE: bool = Boolean "EnableDeletionProtection", "true or false", public => parse_bool;

    /// The key, by its full name.
    PROTECTED_RESOURCE_ARN: KeyRef = Text "ProtectedResourceArn",
        "acs:kms:<region>:<account>:key/<key-id>; this or KeyId must be given, and both must name one key", public =>
        |text| match KeyRef::from_wire(text) {
            Some(arn @ KeyRef::Arn { .. }) => Ok(arn),
            _ => Err(Invalid::Value),
        };

    /// Why the key is protected.
    PROTECTION_DESCRIPTION: String = Text "DeletionProtectionDescription",
        text!("0–" {limits::DESCRIPTION_CHARS_MAX} " characters; kept only when protection is switched on"), public =>
        |text| parse_text(text, limits::DESCRIPTION_CHARS_MAX);

    /// Dedicated instances do not exist here.
    KMS_INSTANCE_ID: () = Text "KmsInstanceId", NOT_OFFERED => not_offered;
}

impl Parameters for SetDeletionProtection {
    const PARAMS: &[Use] = &[
        required(&ENABLE),
        optional(&PROTECTED_RESOURCE_ARN),
        optional(&KEY_ID_ONLY),
        optional(&KMS_INSTANCE_ID),
        optional(&PROTECTION_DESCRIPTION),
    ];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let enable = input.required(&ENABLE)?;
        let arn = input.optional(&PROTECTED_RESOURCE_ARN)?;
        let id = input.optional(&KEY_ID_ONLY)?;
        input.optional(&KMS_INSTANCE_ID)?;
        let description = input.optional(&PROTECTION_DESCRIPTION)?.unwrap_or_default();
        let key = match (arn, id) {
            (Some(arn), Some(id)) if !same_key(&arn, &id) => return Err(Refusal::ParameterInvalid("KeyId")),
            (Some(key), _) | (None, Some(key)) => key,
            (None, None) => return Err(Refusal::ParameterMissing("KeyId")),
        };
        Ok(Self { key, enable, description })
    }
}

impl Action for SetDeletionProtection {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "SetDeletionProtection",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        doc: "While protection is on, ScheduleKeyDeletion is refused for the key.",
        example: &[("EnableDeletionProtection", "true"), A_KEY],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}

fn same_key(arn: &KeyRef, id: &KeyRef) -> bool {
    matches!((arn, id), (KeyRef::Arn { id: of_arn, .. }, KeyRef::Id(id)) if of_arn == id)
}
