//! `DeleteVirtualMFADevice`: a device that no user has.

use super::{SERIAL_NUMBER, SerialNumber};
use crate::actions::prelude::*;

request! {
    pub struct DeleteVirtualMFADevice {
        serial_number: SerialNumber = required SERIAL_NUMBER,
    }
}

impl Action for DeleteVirtualMFADevice {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteVirtualMFADevice",
        errors: &[Refusal::MfaDeviceNotFound, Refusal::MfaDeviceIsBound],
        doc: "Deletes a virtual MFA device that is bound to no user.",
        example: &[("SerialNumber", "acs:ram::1234567890123456:mfa/zhangqiang")],
        ..ActionSpec::write(Group::Mfa)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::MfaDevice, &self.serial_number.name))
    }
}
