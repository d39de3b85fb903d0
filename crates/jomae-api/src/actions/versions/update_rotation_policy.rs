//! `UpdateRotationPolicy`: whether and how often a key rotates by itself.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::{ENABLE_AUTOMATIC_ROTATION, KEY_ID_ONLY, ROTATION_INTERVAL},
    error::Refusal,
    names::KeyRef,
    param::{Input, optional, required},
};

pub struct UpdateRotationPolicy {
    pub key: KeyRef,
    /// Seconds between rotations; none switches rotation off.
    pub interval_secs: Option<i64>,
}

impl Action for UpdateRotationPolicy {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateRotationPolicy",
        group: Group::Versions,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&KEY_ID_ONLY), required(&ENABLE_AUTOMATIC_ROTATION), optional(&ROTATION_INTERVAL)],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::AliasUnsupported,
            Refusal::KeyNotFound,
            Refusal::OriginUnsupported,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Switches automatic rotation on or off. The next rotation is one interval after the last; if that is past, the key rotates at once. For symmetric keys of this service's making only.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("EnableAutomaticRotation", "true"),
            ("RotationInterval", "30d"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let key = input.required(&KEY_ID_ONLY)?;
        let enable = input.required(&ENABLE_AUTOMATIC_ROTATION)?;
        let interval_secs = if enable { Some(input.required(&ROTATION_INTERVAL)?) } else { None };
        Ok(Self { key, interval_secs })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:UpdateRotationPolicy", Target::Key(&self.key))
    }
}
