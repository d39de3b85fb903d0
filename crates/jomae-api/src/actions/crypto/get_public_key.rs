//! `GetPublicKey`: the public key of a version.

use crate::actions::{
    params::{DRY_RUN, KEY_REF, KEY_VERSION_ID},
    prelude::*,
};

request! {
    pub struct GetPublicKey {
        key: KeyRef = required KEY_REF,
        version: KeyVersionId = required KEY_VERSION_ID,
    }
    also optional DRY_RUN;
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// PEM, BEGIN PUBLIC KEY.
        public_key: String => "PublicKey",
    }
}

impl Action for GetPublicKey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetPublicKey",
        class: Class::CryptoAsymmetric,
        states: StateRule { pending_import: Some(Refusal::PendingImport), ..StateRule::ANY },
        errors: &[Refusal::OperationUnsupported],
        doc: "Gives the public key of a version as PEM. In every state that has one: what was signed before stays verifiable.",
        example: &[A_KEY, A_VERSION],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
