//! `EnableKey`: let a disabled key work again.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::KEY_ID_ONLY,
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct EnableKey {
    pub key: KeyRef,
}

impl Action for EnableKey {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "EnableKey",
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
        doc: "Sets the state Enabled. A key that is enabled stays so. Automatic rotation resumes.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:EnableKey", Target::Key(&self.key))
    }
}
