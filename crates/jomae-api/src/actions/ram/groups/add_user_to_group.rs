//! `AddUserToGroup`: a user gets the rights of a group.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::names::{GROUP_NAME, USER_NAME},
    error::Refusal,
    param::{Input, required},
};

pub struct AddUserToGroup {
    pub user_name: String,
    pub group_name: String,
}

impl Action for AddUserToGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AddUserToGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&USER_NAME), required(&GROUP_NAME)],
        states: StateRule::ANY,
        errors: &[
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::GroupNameLength,
            Refusal::GroupNameChars,
            Refusal::UserNotFound,
            Refusal::GroupNotFound,
            Refusal::UserInGroup,
            Refusal::UserGroupLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Puts a user into a group. It needs the permission on both.",
        example: &[("UserName", "zhangqiang"), ("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let user_name = input.required(&USER_NAME)?;
        Ok(Self { user_name, group_name: input.required(&GROUP_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:AddUserToGroup", Target::Ram(RamKind::User, &self.user_name)),
            ("ram:AddUserToGroup", Target::Ram(RamKind::Group, &self.group_name)),
        )
    }
}
