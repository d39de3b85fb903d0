//! What a browser sends for a passkey: client data, attestation object, authenticator data.
//!
//! Input: a byte that says which, then its bytes. Nothing is held that is larger than the limits, and what is accepted for
//! a challenge and an origin that nobody has asked for is nothing.

#![no_main]

use jomae_core::webauthn::{
    ATTESTATION_BYTES_MAX, AUTHENTICATOR_DATA_BYTES_MAX, AttestationObject, AuthenticatorData, CLIENT_DATA_BYTES_MAX,
    ClientData, Expected, Mistake, verify_creation,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    match which % 3 {
        0 => assert!(ClientData::read(bytes).is_err() || bytes.len() <= CLIENT_DATA_BYTES_MAX),
        1 => assert!(AuthenticatorData::read(bytes).is_err() || bytes.len() <= AUTHENTICATOR_DATA_BYTES_MAX),
        _ => {
            let object = AttestationObject::read(bytes);
            assert!(object.is_err() || bytes.len() <= ATTESTATION_BYTES_MAX);
            let client_data = br#"{"type":"webauthn.create","challenge":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","origin":"https://localhost"}"#;
            let expected = Expected {
                challenge: &[7; 32],
                origin: "https://localhost",
                rp_id: "localhost",
                needs_verification: false,
            };
            match verify_creation(client_data, bytes, &expected) {
                Ok(made) => assert!(!made.credential_id.is_empty() && made.credential_id.len() <= 1023),
                Err(why) => assert!(!matches!(why, Mistake::Challenge | Mistake::Origin | Mistake::Signature)),
            }
        }
    }
});
