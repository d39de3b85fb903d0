//! `GenerateMac`: a message authentication code.

use crate::actions::{
    params::{ALGORITHM, DRY_RUN, KEY_REF, MESSAGE},
    prelude::*,
};

request! {
    pub struct GenerateMac {
        key: KeyRef = required KEY_REF,
        algorithm: Algorithm = required ALGORITHM,
        message: SecretBytes = required MESSAGE,
    }
    also optional DRY_RUN;
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// As in the request.
        algorithm: Algorithm => "Algorithm",
        /// The MAC.
        mac: Base64 => "Mac",
    }
}

impl Action for GenerateMac {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GenerateMac",
        errors: &[Refusal::OperationUnsupported],
        doc: "Computes a MAC over a message.",
        example: &[A_KEY, ("Algorithm", "HMAC_SHA_256"), ("Message", "aGVsbG8=")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
