//! `DeleteUser`: a user who has nothing any more.

use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct DeleteUser {
        user_name: String = required USER_NAME,
    }
}

impl Action for DeleteUser {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteUser",
        errors: &[
            Refusal::UserNotFound,
            Refusal::UserHasAccessKeys,
            Refusal::UserHasPolicies,
            Refusal::UserHasGroups,
            Refusal::UserHasLoginProfile,
            Refusal::UserHasMfaDeviceBound,
        ],
        doc: "Deletes a user who has no access keys and no policies, is in no group, and has neither a login profile nor an MFA device.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::write(Group::Users)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
