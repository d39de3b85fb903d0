//! `CreateVirtualMFADevice`: a device that an app can become.

use super::VIRTUAL_MFA_DEVICE_NAME;
use crate::actions::prelude::*;

request! {
    pub struct CreateVirtualMFADevice {
        name: String = required VIRTUAL_MFA_DEVICE_NAME,
    }
}

answer! {
    /// A device with its seed.
    pub struct NewVirtualMfaDevice {
        /// Serial number of the device.
        serial_number: String => "SerialNumber",
        /// The seed, in Base32 without padding, for an app into which it is typed. Shown here and never again.
        base32_string_seed: SecretText => "Base32StringSeed",
        /// The same as a picture (PNG, in Base64) of a QR code with the `otpauth` address.
        qr_code_png: SecretBase64 => "QRCodePNG",
    }

    pub struct Output {
        /// The device.
        virtual_mfa_device: NewVirtualMfaDevice => "VirtualMFADevice",
    }
}

impl Action for CreateVirtualMFADevice {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateVirtualMFADevice",
        errors: &[Refusal::MfaDeviceExists, Refusal::MfaDeviceLimit],
        doc: "Makes a virtual MFA device. Its seed is in this answer and in no other: it is kept sealed, and cannot be shown again. The device counts once BindMFADevice has given it to a user.",
        example: &[("VirtualMFADeviceName", "zhangqiang")],
        ..ActionSpec::write(Group::Mfa)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamAll(RamKind::MfaDevice))
    }
}
