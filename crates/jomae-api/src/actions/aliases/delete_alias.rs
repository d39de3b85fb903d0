//! `DeleteAlias`: take a name away.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::params::ALIAS_NAME,
    error::Refusal,
    names::AliasName,
    param::{Input, required},
};

pub struct DeleteAlias {
    pub alias: AliasName,
}

impl Action for DeleteAlias {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteAlias",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&ALIAS_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::AliasNotFound],
        doc: "Deletes an alias. The key stays as it is.",
        example: &[("AliasName", "alias/orders")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { alias: input.required(&ALIAS_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DeleteAlias", Target::AliasAndItsKey(&self.alias))
    }
}
