//! Passkeys (Web Authentication) with which RAM users sign in to the console. The cloud has no actions for them.

pub mod create_passkey;
pub mod delete_passkey;
pub mod list_passkeys;

use crate::{actions::prelude::*, param::parse_bytes};

answer! {
    /// A passkey of a user.
    pub struct Passkey as "Passkey" {
        /// ID of the passkey.
        passkey_id: String => "PasskeyId",
        /// The name that its user has given it.
        passkey_name: String => "PasskeyName",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
        /// When somebody last signed in with it; absent if nobody has.
        last_used_date: Option<Timestamp> => "LastUsedDate",
        /// Whether its authenticator has said that it is backed up, as passkeys are that several devices share.
        backed_up: bool => "BackedUp",
    }
}

/// Of whom an action is about passkeys: the user of this name, or the one who calls, and needs no policy for that.
const fn whose(user_name: Option<&str>) -> Target<'_> {
    match user_name {
        Some(name) => Target::Ram(RamKind::User, name),
        None => Target::RamSelfUnlessDenied,
    }
}

/// Digits of the ID of a passkey.
const ID_CHARS: usize = 32;
/// Longest list of transports, in bytes.
const TRANSPORTS_BYTES_MAX: usize = 128;

/// How an authenticator is reached, separated by commas (`AuthenticatorTransport`); browsers make new ones up.
fn transports(text: &str) -> Result<Vec<String>, Invalid> {
    let is_transport = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let parts: Vec<&str> = text.split(',').collect();
    if text.len() > TRANSPORTS_BYTES_MAX || !parts.iter().all(is_transport) {
        return Err(Invalid::Value);
    }
    Ok(parts.into_iter().map(str::to_owned).collect())
}

param! {
    /// The name of the user. If absent, the user who calls, who needs no policy then; but one can deny it.
    USER_NAME_OR_OWN: String = Text "UserName", text!([limits::RAM_NAME_CHARS] " letters, digits, ., @, _ and -"), public,
        refuses(&[Refusal::UserNameLength, Refusal::UserNameChars]) => super::names::user_name_of;

    /// The passkey.
    PASSKEY_ID: String = Text "PasskeyId", text!({ID_CHARS} " hexadecimal digits"), public => |text| {
        let is_id = text.len() == ID_CHARS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_id { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };

    /// A name by which the user knows it again.
    PASSKEY_NAME: String = Text "PasskeyName", text!([limits::RAM_NAME_CHARS] " characters"), public => |text| {
        let fits = limits::RAM_NAME_CHARS.contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };

    /// What the console has given to the page that makes the passkey.
    CHALLENGE: String = Text "Challenge", text!("at most " {limits::PASSKEY_CHALLENGE_CHARS_MAX} " characters") => |text| {
        let fits = text.len() <= limits::PASSKEY_CHALLENGE_CHARS_MAX && text.is_ascii();
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };

    /// `clientDataJSON` of the browser's answer.
    CLIENT_DATA: Vec<u8> = Base64 "ClientDataJSON", text!("Base64, at most " {limits::PASSKEY_CLIENT_DATA_BYTES_MAX} " bytes") =>
        |text| parse_bytes(text, limits::PASSKEY_CLIENT_DATA_BYTES_MAX);

    /// `attestationObject` of the browser's answer. Its statement is not evaluated.
    ATTESTATION: Vec<u8> = Base64 "AttestationObject", text!("Base64, at most " {limits::PASSKEY_ATTESTATION_BYTES_MAX} " bytes") =>
        |text| parse_bytes(text, limits::PASSKEY_ATTESTATION_BYTES_MAX);

    /// How the authenticator is reached, as `getTransports()` of the browser's answer says.
    TRANSPORTS: Vec<String> = Text "Transports", "words of small letters and -, separated by commas", public => transports;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::param::ParamInfo;

    #[test]
    fn what_is_taken() {
        assert!(PASSKEY_ID.accepts(&"0f".repeat(16)) && !PASSKEY_ID.accepts(&"0F".repeat(16)));
        assert!(!PASSKEY_ID.accepts("") && !PASSKEY_ID.accepts(&"0".repeat(33)) && !PASSKEY_ID.accepts("../x"));
        assert!(
            PASSKEY_NAME.accepts("花子の iPhone")
                && !PASSKEY_NAME.accepts("a\nb")
                && !PASSKEY_NAME.accepts(&"x".repeat(65))
        );
        assert!(TRANSPORTS.accepts("usb,smart-card") && TRANSPORTS.accepts("internal"));
        for bad in ["usb,", "USB", "usb hybrid", &"x,".repeat(100)] {
            assert!(!TRANSPORTS.accepts(bad), "{bad}");
        }
        let longest = "A".repeat(limits::PASSKEY_CHALLENGE_CHARS_MAX);
        assert!(CHALLENGE.accepts(&longest) && !CHALLENGE.accepts(&format!("{longest}A")));
        assert!(CLIENT_DATA.accepts("e30=") && !CLIENT_DATA.accepts("{}") && !CLIENT_DATA.accepts(&"AAAA".repeat(700)));
        assert!(!ATTESTATION.accepts(&"AAAA".repeat(3000)));
        assert!(!CHALLENGE.shows("x") && !CLIENT_DATA.shows("e30=") && !ATTESTATION.shows("e30="));
    }

    proptest! {
        #[test]
        fn never_panic(text in ".{0,200}") {
            for param in [&PASSKEY_ID, &PASSKEY_NAME, &CHALLENGE, &USER_NAME_OR_OWN] {
                let _ = param.accepts(&text);
            }
            let _ = (TRANSPORTS.accepts(&text), CLIENT_DATA.accepts(&text), ATTESTATION.accepts(&text));
        }
    }
}
