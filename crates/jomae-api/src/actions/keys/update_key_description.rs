//! `UpdateKeyDescription`: change what is said of a key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::{DESCRIPTION, KEY_ID_ONLY},
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct UpdateKeyDescription {
    pub key: KeyRef,
    pub description: String,
}

impl Action for UpdateKeyDescription {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateKeyDescription",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&KEY_ID_ONLY), required(&DESCRIPTION)],
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::PendingDeletion],
        doc: "Replaces the description; an empty text clears it.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"), ("Description", "orders database")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)?, description: input.required_maybe_empty(&DESCRIPTION)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:UpdateKeyDescription", Target::Key(&self.key))
    }
}
