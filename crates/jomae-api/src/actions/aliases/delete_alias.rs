//! `DeleteAlias`: take a name away.

use crate::actions::{params::ALIAS_NAME, prelude::*};

request! {
    pub struct DeleteAlias {
        alias: AliasName = required ALIAS_NAME,
    }
}

impl Action for DeleteAlias {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteAlias",
        errors: &[Refusal::AliasNotFound],
        doc: "Deletes an alias. The key stays as it is.",
        example: &[("AliasName", "alias/orders")],
        ..ActionSpec::write(Group::Aliases)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::AliasAndItsKey(&self.alias))
    }
}
