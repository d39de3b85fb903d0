//! `GetUserMFAInfo`: which device a user has.

use super::MfaDeviceOutput;
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct GetUserMFAInfo {
        user_name: String = required USER_NAME,
    }
}

impl Action for GetUserMFAInfo {
    type Output = MfaDeviceOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetUserMFAInfo",
        errors: &[Refusal::UserNotFound, Refusal::UserMfaDeviceNotFound],
        doc: "Shows which MFA device a user has.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::read(Group::Mfa)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
