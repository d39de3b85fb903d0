//! `ScheduleKeyDeletion`: delete a key after a waiting period.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct ScheduleKeyDeletion {
        key: KeyRef = required KEY_ID_ONLY,
        pending_window_days: u32 = required PENDING_WINDOW,
    }
}

param! {
    /// Days until the key is destroyed. It can be rescued until then.
    PENDING_WINDOW: u32 = Integer "PendingWindowInDays", text!([limits::PENDING_WINDOW_DAYS]), public =>
        |text| parse_number(text, &limits::PENDING_WINDOW_DAYS);
}

impl Action for ScheduleKeyDeletion {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "ScheduleKeyDeletion",
        states: StateRule::not_pending_deletion(Refusal::StateModifiedFailed),
        errors: &[Refusal::StateModifiedFailed, Refusal::DeletionProtected],
        doc: "Sets the state PendingDeletion. When the window has passed the key material is destroyed and nothing that was encrypted under the key can be read again, by anyone. Refused while deletion protection is on.",
        example: &[A_KEY, ("PendingWindowInDays", "7")],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
