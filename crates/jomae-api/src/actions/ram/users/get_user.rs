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
    const SPEC: ActionSpec = ActionSpec {
        name: "GetUser",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound],
        doc: "Shows what is known of a user.",
        example: &[("UserName", "zhangqiang")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetUser", Target::Ram(RamKind::User, &self.user_name))
    }
}
