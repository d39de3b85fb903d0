//! `DeleteUser`: a user who has nothing any more.

use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct DeleteUser {
        user_name: String = required USER_NAME,
    }
}

impl Action for DeleteUser {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteUser",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::UserNotFound,
            Refusal::UserHasAccessKeys,
            Refusal::UserHasPolicies,
            Refusal::UserHasGroups,
        ],
        doc: "Deletes a user who has no access keys and no policies, and is in no group.",
        example: &[("UserName", "zhangqiang")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeleteUser", Target::Ram(RamKind::User, &self.user_name))
    }
}
