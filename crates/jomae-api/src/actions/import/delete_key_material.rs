//! `DeleteKeyMaterial`: make the service forget imported material.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct DeleteKeyMaterial {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

impl Action for DeleteKeyMaterial {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteKeyMaterial",
        errors: &[Refusal::OriginUnsupported],
        doc: "Destroys the imported material; the key waits in PendingImport for the same material. A key that waits for its deletion keeps state and date.",
        example: &[A_KEY],
        ..ActionSpec::write(Group::Import)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
