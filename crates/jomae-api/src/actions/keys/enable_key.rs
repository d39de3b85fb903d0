//! `EnableKey`: let a disabled key work again.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct EnableKey {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for EnableKey {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "EnableKey",
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
        doc: "Sets the state Enabled. A key that is enabled stays so. Automatic rotation resumes.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:EnableKey", Target::Key(&self.key))
    }
}
