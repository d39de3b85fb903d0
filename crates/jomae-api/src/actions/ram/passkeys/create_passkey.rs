//! `CreatePasskey`: a user makes a passkey.

use super::{ATTESTATION, CHALLENGE, CLIENT_DATA, PASSKEY_NAME, Passkey, TRANSPORTS};
use crate::actions::prelude::*;

request! {
    pub struct CreatePasskey {
        name: String = required PASSKEY_NAME,
        challenge: String = required CHALLENGE,
        client_data: Vec<u8> = required CLIENT_DATA,
        attestation: Vec<u8> = required ATTESTATION,
        transports: Option<Vec<String>> = optional TRANSPORTS,
    }
}

answer! {
    pub struct Output {
        /// The passkey.
        passkey: Passkey => "Passkey",
    }
}

impl Action for CreatePasskey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreatePasskey",
        errors: &[
            Refusal::UsersOnly,
            Refusal::LoginProfileNotFound,
            Refusal::PasskeyInvalid,
            Refusal::PasskeyExists,
            Refusal::PasskeyLimit,
        ],
        doc: text!("Gives a passkey to the user who calls: what a browser has answered to a challenge of the console, which no other call gives. No policy has to allow it, but one can deny it. A user has at most " {limits::PASSKEYS_MAX} " passkeys. An action of ours."),
        example: &[
            ("PasskeyName", "phone"),
            ("Challenge", "AAAAAQ"),
            ("ClientDataJSON", "e30="),
            ("AttestationObject", "oA=="),
        ],
        ..ActionSpec::write(Group::Passkeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamSelfUnlessDenied)
    }
}
