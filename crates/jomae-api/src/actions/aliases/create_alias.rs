//! `CreateAlias`: give a key a name.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::{ALIAS_NAME, CLIENT_TOKEN, KEY_ID_ONLY},
    error::Refusal,
    names::{AliasName, KeyRef},
    param::{Input, optional, required},
};

pub struct CreateAlias {
    pub alias: AliasName,
    pub key: KeyRef,
}

impl Action for CreateAlias {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateAlias",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&ALIAS_NAME), required(&KEY_ID_ONLY), optional(&CLIENT_TOKEN)],
        states: StateRule::not_pending_deletion(Refusal::StateModifiedFailed),
        errors: &[
            Refusal::AliasUnsupported,
            Refusal::KeyNotFound,
            Refusal::AliasExists,
            Refusal::LimitExceeded,
            Refusal::StateModifiedFailed,
        ],
        doc: "Makes an alias. Its name is unique in the account and region; a key may have many.",
        example: &[("AliasName", "alias/orders"), ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let alias = input.required(&ALIAS_NAME)?;
        if alias.is_reserved() {
            return Err(Refusal::ParameterInvalid("AliasName"));
        }
        let key = input.required(&KEY_ID_ONLY)?;
        input.optional(&CLIENT_TOKEN)?;
        Ok(Self { alias, key })
    }

    fn access(&self) -> Access<'_> {
        Access::two(("kms:CreateAlias", Target::AliasName(&self.alias)), ("kms:CreateAlias", Target::Key(&self.key)))
    }
}
