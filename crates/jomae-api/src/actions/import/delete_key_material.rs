//! `DeleteKeyMaterial`: make the service forget imported material.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct DeleteKeyMaterial {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for DeleteKeyMaterial {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteKeyMaterial",
        group: Group::Import,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::OriginUnsupported],
        doc: "Destroys the imported material; the key waits in PendingImport for the same material. A key that waits for its deletion keeps state and date.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:DeleteKeyMaterial", Target::Key(&self.key))
    }
}
