//! `DisableKey`: stop every use of a key.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct DisableKey {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for DisableKey {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DisableKey",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule {
            enabled: None,
            disabled: None,
            pending_deletion: Some(Refusal::StateModifiedFailed),
            pending_import: Some(Refusal::StateModifiedFailed),
        },
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::StateModifiedFailed],
        doc: "Sets the state Disabled: nothing can be encrypted or decrypted until EnableKey. A key that is disabled stays so. Automatic rotation is suspended.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:DisableKey", Target::Key(&self.key))
    }
}
