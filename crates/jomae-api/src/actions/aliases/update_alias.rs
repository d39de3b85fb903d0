//! `UpdateAlias`: point a name at another key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::{ALIAS_NAME, KEY_ID_ONLY},
    error::Refusal,
    names::{AliasName, KeyRef},
    param::{Input, required},
};

pub struct UpdateAlias {
    pub alias: AliasName,
    pub key: KeyRef,
}

impl Action for UpdateAlias {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateAlias",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&ALIAS_NAME), required(&KEY_ID_ONLY)],
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::AliasNotFound, Refusal::PendingDeletion],
        doc: "Points an existing alias at another key, at once for everyone who uses the alias. The state of the key it pointed to does not matter.",
        example: &[("AliasName", "alias/orders"), ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let alias = input.required(&ALIAS_NAME)?;
        Ok(Self { alias, key: input.required(&KEY_ID_ONLY)? })
    }

    fn access(&self) -> Access<'_> {
        Access::two(("kms:UpdateAlias", Target::AliasName(&self.alias)), ("kms:UpdateAlias", Target::Key(&self.key)))
    }
}
