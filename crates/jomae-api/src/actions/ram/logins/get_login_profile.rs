//! `GetLoginProfile`: whether a user can sign in with a password.

use super::LoginProfileOutput;
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct GetLoginProfile {
        user_name: String = required USER_NAME,
    }
}

impl Action for GetLoginProfile {
    type Output = LoginProfileOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetLoginProfile",
        errors: &[Refusal::UserNotFound, Refusal::LoginProfileNotFound],
        doc: "Shows whether, and how, a user can sign in with a password.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::read(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
