//! `VerifyMac`: check a message authentication code.

use crate::actions::{
    params::{ALGORITHM, DRY_RUN, KEY_REF, MAC, MESSAGE},
    prelude::*,
};

request! {
    pub struct VerifyMac {
        key: KeyRef = required KEY_REF,
        algorithm: Algorithm = required ALGORITHM,
        message: SecretBytes = required MESSAGE,
        mac: Vec<u8> = required MAC,
    }
    also optional DRY_RUN;
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// As in the request.
        algorithm: Algorithm => "Algorithm",
        /// Whether the MAC is genuine.
        value: bool => "Value",
    }
}

impl Action for VerifyMac {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "VerifyMac",
        errors: &[Refusal::OperationUnsupported],
        doc: "Tells whether a MAC is genuine, in constant time. One that is not gives Value false and no error.",
        example: &[A_KEY, ("Algorithm", "HMAC_SHA_256"), ("Message", "aGVsbG8="), ("Mac", "aGVsbG8=")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
