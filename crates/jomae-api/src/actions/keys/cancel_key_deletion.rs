//! `CancelKeyDeletion`: rescue a key that waits for its deletion.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct CancelKeyDeletion {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for CancelKeyDeletion {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "CancelKeyDeletion",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule {
            enabled: Some(Refusal::StateModifiedFailed),
            disabled: Some(Refusal::StateModifiedFailed),
            pending_deletion: None,
            pending_import: Some(Refusal::StateModifiedFailed),
        },
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::StateModifiedFailed],
        doc: "Takes the planned deletion back. The key is Enabled afterwards, also if it was Disabled before; an EXTERNAL key without material is PendingImport.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:CancelKeyDeletion", Target::Key(&self.key))
    }
}
