//! `CancelKeyDeletion`: rescue a key that waits for its deletion.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::KEY_ID_ONLY,
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct CancelKeyDeletion {
    pub key: KeyRef,
}

impl Action for CancelKeyDeletion {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "CancelKeyDeletion",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&KEY_ID_ONLY)],
        states: StateRule {
            enabled: Some(Refusal::StateModifiedFailed),
            disabled: Some(Refusal::StateModifiedFailed),
            pending_deletion: None,
            pending_import: Some(Refusal::StateModifiedFailed),
        },
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::StateModifiedFailed],
        doc: "Takes the planned deletion back. The key is Enabled afterwards, also if it was Disabled before; an EXTERNAL key without material is PendingImport.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:CancelKeyDeletion", Target::Key(&self.key))
    }
}
