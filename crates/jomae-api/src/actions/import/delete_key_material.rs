//! `DeleteKeyMaterial`: make the service forget imported material.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::KEY_ID_ONLY,
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct DeleteKeyMaterial {
    pub key: KeyRef,
}

impl Action for DeleteKeyMaterial {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteKeyMaterial",
        group: Group::Import,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&KEY_ID_ONLY)],
        states: StateRule::ANY,
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::OriginUnsupported],
        doc: "Destroys the imported material; the key waits in PendingImport for the same material. A key that waits for its deletion keeps state and date.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DeleteKeyMaterial", Target::Key(&self.key))
    }
}
