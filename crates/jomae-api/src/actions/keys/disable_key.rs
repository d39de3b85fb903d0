//! `DisableKey`: stop every use of a key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::KEY_ID_ONLY,
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct DisableKey {
    pub key: KeyRef,
}

impl Action for DisableKey {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DisableKey",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&KEY_ID_ONLY)],
        states: StateRule {
            enabled: None,
            disabled: None,
            pending_deletion: Some(Refusal::StateModifiedFailed),
            pending_import: Some(Refusal::StateModifiedFailed),
        },
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::StateModifiedFailed],
        doc: "Sets the state Disabled: nothing can be encrypted or decrypted until EnableKey. A key that is disabled stays so. Automatic rotation is suspended.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DisableKey", Target::Key(&self.key))
    }
}
