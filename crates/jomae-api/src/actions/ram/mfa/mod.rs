//! Virtual MFA devices: a second factor for people, shown by an app of theirs.

pub mod bind_mfa_device;
pub mod create_virtual_mfa_device;
pub mod delete_virtual_mfa_device;
pub mod get_user_mfa_info;
pub mod list_virtual_mfa_devices;
pub mod unbind_mfa_device;

use super::names::checked;
use crate::actions::prelude::*;

answer! {
    /// The device of a user.
    pub struct MfaDevice {
        /// Serial number of the device.
        serial_number: String => "SerialNumber",
        /// The kind of device: `VMFA`, a virtual one.
        r#type: Option<&'static str> => "Type",
    }

    pub struct MfaDeviceOutput {
        /// The device.
        mfa_device: MfaDevice => "MFADevice",
    }
}

/// The serial number of a virtual device: `acs:ram::<account>:mfa/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialNumber {
    /// Whose it is.
    pub account: AccountId,
    /// Name of the device.
    pub name: String,
}

impl SerialNumber {
    /// As it stands on the wire.
    pub fn to_wire(&self) -> String {
        format!("acs:ram::{}:mfa/{}", self.account, self.name)
    }

    fn from_wire(text: &str) -> Option<Self> {
        let (account, name) = text.strip_prefix("acs:ram::")?.split_once(":mfa/")?;
        let name = device_name(name).ok()?;
        Some(Self { account: AccountId::new(account)?, name })
    }
}

fn device_name(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    checked(text, &limits::RAM_NAME_CHARS, allowed, Refusal::MfaDeviceNameLength, Refusal::MfaDeviceNameChars)
}

fn authentication_code(text: &str) -> Result<SecretBytes, Invalid> {
    let fits = text.len() == limits::MFA_CODE_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    if fits { Ok(SecretBytes::new(text.as_bytes().to_vec())) } else { Err(Invalid::As(Refusal::MfaCodeFormat)) }
}

param! {
    /// The name of the device.
    VIRTUAL_MFA_DEVICE_NAME: String = Text "VirtualMFADeviceName",
        text!([limits::RAM_NAME_CHARS] " letters, digits, . and -"), public,
        refuses(&[Refusal::MfaDeviceNameLength, Refusal::MfaDeviceNameChars]) => device_name;

    /// The serial number of the device.
    SERIAL_NUMBER: SerialNumber = Text "SerialNumber", "acs:ram::<account>:mfa/<name>", public => |text| {
        SerialNumber::from_wire(text).ok_or(Invalid::Value)
    };

    /// A code that the device shows.
    AUTHENTICATION_CODE_1: SecretBytes = Text "AuthenticationCode1", text!({limits::MFA_CODE_DIGITS} " digits"),
        refuses(&[Refusal::MfaCodeFormat]) => authentication_code;

    /// The next code that the device shows.
    AUTHENTICATION_CODE_2: SecretBytes = Text "AuthenticationCode2", text!({limits::MFA_CODE_DIGITS} " digits"),
        refuses(&[Refusal::MfaCodeFormat]) => authentication_code;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::param::ParamInfo;

    #[test]
    fn serial_numbers() {
        let serial = "acs:ram::1234567890123456:mfa/device.1-x";
        assert_eq!(SerialNumber::from_wire(serial).unwrap().to_wire(), serial);
        for bad in [
            "",
            "device",
            "acs:ram:*:1234567890123456:mfa/d",
            "acs:ram::1:mfa/",
            "acs:ram::x/y:mfa/d",
            "acs:ram::1234567890123456:mfa/a/b",
        ] {
            assert!(!SERIAL_NUMBER.accepts(bad), "{bad}");
        }
    }

    #[test]
    fn codes_are_shown_nowhere() {
        assert!(AUTHENTICATION_CODE_1.accepts("012345") && !AUTHENTICATION_CODE_1.shows("012345"));
        for bad in ["12345", "1234567", "12345a", "１２３４５６", "+12345"] {
            assert!(!AUTHENTICATION_CODE_2.accepts(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panic(text in ".{0,200}") {
            let _ = SERIAL_NUMBER.accepts(&text);
            let _ = VIRTUAL_MFA_DEVICE_NAME.accepts(&text);
            let _ = AUTHENTICATION_CODE_1.accepts(&text);
        }
    }
}
