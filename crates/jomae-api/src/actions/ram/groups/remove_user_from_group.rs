//! `RemoveUserFromGroup`: a user loses the rights of a group.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::names::{GROUP_NAME, USER_NAME},
    error::Refusal,
    param::{Input, required},
};

pub struct RemoveUserFromGroup {
    pub user_name: String,
    pub group_name: String,
}

impl Action for RemoveUserFromGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "RemoveUserFromGroup",
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
            Refusal::UserNotInGroup,
        ],
        doc: "Takes a user out of a group. It needs the permission on both.",
        example: &[("UserName", "zhangqiang"), ("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let user_name = input.required(&USER_NAME)?;
        Ok(Self { user_name, group_name: input.required(&GROUP_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:RemoveUserFromGroup", Target::Ram(RamKind::User, &self.user_name)),
            ("ram:RemoveUserFromGroup", Target::Ram(RamKind::Group, &self.group_name)),
        )
    }
}
