//! `UpdateKeyDescription`: change what is said of a key.

use crate::actions::{
    params::{DESCRIPTION, KEY_ID_ONLY},
    prelude::*,
};

request! {
    pub struct UpdateKeyDescription {
        key: KeyRef = required KEY_ID_ONLY,
        description: String = required_maybe_empty DESCRIPTION,
    }
}

impl Action for UpdateKeyDescription {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateKeyDescription",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        doc: "Replaces the description; an empty text clears it.",
        example: &[A_KEY, ("Description", "orders database")],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
