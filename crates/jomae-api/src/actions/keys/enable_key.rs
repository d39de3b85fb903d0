//! `EnableKey`: let a disabled key work again.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct EnableKey {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for EnableKey {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "EnableKey",
        states: StateRule {
            pending_deletion: Some(Refusal::StateModifiedFailed),
            pending_import: Some(Refusal::StateModifiedFailed),
            ..StateRule::ANY
        },
        doc: "Sets the state Enabled. A key that is enabled stays so. Automatic rotation resumes.",
        example: &[A_KEY],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
