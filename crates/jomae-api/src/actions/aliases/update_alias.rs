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
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateAlias",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::AliasNotFound, Refusal::PendingDeletion],
        doc: "Points an existing alias at another key, at once for everyone who uses the alias. The state of the key it pointed to does not matter.",
        example: &[("AliasName", "alias/orders"), ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn access(&self) -> Access<'_> {
        Access::two(("kms:UpdateAlias", Target::AliasName(&self.alias)), ("kms:UpdateAlias", Target::Key(&self.key)))
    }
}
