//! `UpdateAlias`: point a name at another key.

use crate::actions::{
    params::{ALIAS_NAME, KEY_ID_ONLY},
    prelude::*,
};

request! {
    pub struct UpdateAlias {
        alias: AliasName = required ALIAS_NAME,
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for UpdateAlias {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateAlias",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::AliasNotFound],
        doc: "Points an existing alias at another key, at once for everyone who uses the alias. The state of the key it pointed to does not matter.",
        example: &[("AliasName", "alias/orders"), A_KEY],
        ..ActionSpec::write(Group::Aliases)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::AliasName(&self.alias), Target::Key(&self.key))
    }
}
