//! `DeleteUser`: a user who has nothing any more.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::names::USER_NAME,
    error::Refusal,
    param::{Input, required},
};

pub struct DeleteUser {
    pub user_name: String,
}

impl Action for DeleteUser {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteUser",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&USER_NAME)],
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

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { user_name: input.required(&USER_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeleteUser", Target::Ram(RamKind::User, &self.user_name))
    }
}
