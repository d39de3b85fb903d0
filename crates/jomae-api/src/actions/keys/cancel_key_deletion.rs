//! `CancelKeyDeletion`: rescue a key that waits for its deletion.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct CancelKeyDeletion {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for CancelKeyDeletion {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "CancelKeyDeletion",
        states: StateRule {
            enabled: Some(Refusal::StateModifiedFailed),
            disabled: Some(Refusal::StateModifiedFailed),
            pending_import: Some(Refusal::StateModifiedFailed),
            ..StateRule::ANY
        },
        doc: "Takes the planned deletion back. The key is Enabled afterwards, also if it was Disabled before; an EXTERNAL key without material is PendingImport.",
        example: &[A_KEY],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
