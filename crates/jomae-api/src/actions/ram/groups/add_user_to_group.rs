//! `AddUserToGroup`: a user gets the rights of a group.

use crate::actions::{
    prelude::*,
    ram::names::{GROUP_NAME, USER_NAME},
};

request! {
    pub struct AddUserToGroup {
        user_name: String = required USER_NAME,
        group_name: String = required GROUP_NAME,
    }
}

impl Action for AddUserToGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AddUserToGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
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

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:AddUserToGroup", Target::Ram(RamKind::User, &self.user_name)),
            ("ram:AddUserToGroup", Target::Ram(RamKind::Group, &self.group_name)),
        )
    }
}
