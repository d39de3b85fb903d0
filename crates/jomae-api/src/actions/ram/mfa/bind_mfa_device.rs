//! `BindMFADevice`: gives a device to a user.

use super::{AUTHENTICATION_CODE_1, AUTHENTICATION_CODE_2, SERIAL_NUMBER, SerialNumber};
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct BindMFADevice {
        serial_number: SerialNumber = required SERIAL_NUMBER,
        user_name: String = required USER_NAME,
        code_1: SecretBytes = required AUTHENTICATION_CODE_1,
        code_2: SecretBytes = required AUTHENTICATION_CODE_2,
    }
}

impl Action for BindMFADevice {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "BindMFADevice",
        errors: &[
            Refusal::UserNotFound,
            Refusal::MfaDeviceNotFound,
            Refusal::UserHasMfaDevice,
            Refusal::MfaDeviceHasUser,
            Refusal::MfaCodeIncorrect,
        ],
        doc: "Binds a virtual MFA device to a user, who is asked for its codes at each sign-in from then on. Two codes that the device shows one after the other prove that an app has the seed. A user has one device.",
        example: &[
            ("SerialNumber", "acs:ram::1234567890123456:mfa/zhangqiang"),
            ("UserName", "zhangqiang"),
            ("AuthenticationCode1", "306107"),
            ("AuthenticationCode2", "884121"),
        ],
        ..ActionSpec::write(Group::Mfa)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
