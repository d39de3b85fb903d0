//! `CreateAlias`: give a key a name.

use crate::actions::{
    params::{ALIAS_NAME, CLIENT_TOKEN, KEY_ID_ONLY},
    prelude::*,
};

request! {
    pub struct CreateAlias {
        alias: AliasName = required ALIAS_NAME => unreserved_alias,
        key: KeyRef = required KEY_ID_ONLY,
    }
    also optional CLIENT_TOKEN;
}

fn unreserved_alias(input: Input<'_>) -> Result<AliasName, Refusal> {
    let alias = input.required(&ALIAS_NAME)?;
    if alias.is_reserved() { Err(Refusal::ParameterInvalid("AliasName")) } else { Ok(alias) }
}

impl Action for CreateAlias {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateAlias",
        states: StateRule::not_pending_deletion(Refusal::StateModifiedFailed),
        errors: &[Refusal::AliasExists, Refusal::LimitExceeded],
        doc: "Makes an alias. Its name is unique in the account and region; a key may have many.",
        example: &[("AliasName", "alias/orders"), A_KEY],
        ..ActionSpec::write(Group::Aliases)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::AliasName(&self.alias), Target::Key(&self.key))
    }
}
