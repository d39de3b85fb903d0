//! `DisableKey`: stop every use of a key.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct DisableKey {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for DisableKey {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DisableKey",
        states: StateRule {
            pending_deletion: Some(Refusal::StateModifiedFailed),
            pending_import: Some(Refusal::StateModifiedFailed),
            ..StateRule::ANY
        },
        doc: "Sets the state Disabled: nothing can be encrypted or decrypted until EnableKey. A key that is disabled stays so. Automatic rotation is suspended.",
        example: &[A_KEY],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
