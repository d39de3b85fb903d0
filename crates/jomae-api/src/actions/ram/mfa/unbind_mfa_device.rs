//! `UnbindMFADevice`: takes the device from a user.

use super::MfaDeviceOutput;
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct UnbindMFADevice {
        user_name: String = required USER_NAME,
    }
}

impl Action for UnbindMFADevice {
    type Output = MfaDeviceOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "UnbindMFADevice",
        errors: &[Refusal::UserNotFound, Refusal::UserMfaDeviceNotFound],
        doc: "Takes the MFA device from a user. The device stays, bound to nobody.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::write(Group::Mfa)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
