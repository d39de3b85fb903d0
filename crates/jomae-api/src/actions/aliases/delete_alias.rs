//! `DeleteAlias`: take a name away.

use crate::actions::{params::ALIAS_NAME, prelude::*};

request! {
    pub struct DeleteAlias {
        alias: AliasName = required ALIAS_NAME,
    }
}

impl Action for DeleteAlias {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteAlias",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::AliasNotFound],
        doc: "Deletes an alias. The key stays as it is.",
        example: &[("AliasName", "alias/orders")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:DeleteAlias", Target::AliasAndItsKey(&self.alias))
    }
}
