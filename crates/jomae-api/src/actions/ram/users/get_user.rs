//! `GetUser`: what is known of a user.

use super::UserOutput;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::names::USER_NAME,
    error::Refusal,
    param::{Input, required},
};

pub struct GetUser {
    pub user_name: String,
}

impl Action for GetUser {
    type Output = UserOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetUser",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&USER_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound],
        doc: "Shows what is known of a user.",
        example: &[("UserName", "zhangqiang")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { user_name: input.required(&USER_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetUser", Target::Ram(RamKind::User, &self.user_name))
    }
}
