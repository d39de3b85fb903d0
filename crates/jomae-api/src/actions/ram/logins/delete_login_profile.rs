//! `DeleteLoginProfile`: a user can no longer sign in with a password.

use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct DeleteLoginProfile {
        user_name: String = required USER_NAME,
    }
}

impl Action for DeleteLoginProfile {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteLoginProfile",
        errors: &[Refusal::UserNotFound, Refusal::LoginProfileNotFound],
        doc: "Takes from a user the possibility to sign in with a password. Sessions of the user in the console end.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::write(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
