//! `GetUser`: what is known of a user.

use super::UserOutput;
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct GetUser {
        user_name: String = required USER_NAME,
    }
}

impl Action for GetUser {
    type Output = UserOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetUser",
        errors: &[Refusal::UserNotFound],
        doc: "Shows what is known of a user.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::read(Group::Users)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
