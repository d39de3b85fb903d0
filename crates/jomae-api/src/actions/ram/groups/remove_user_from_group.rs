//! `RemoveUserFromGroup`: a user loses the rights of a group.

use crate::actions::{
    prelude::*,
    ram::names::{GROUP_NAME, USER_NAME},
};

request! {
    pub struct RemoveUserFromGroup {
        user_name: String = required USER_NAME,
        group_name: String = required GROUP_NAME,
    }
}

impl Action for RemoveUserFromGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "RemoveUserFromGroup",
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
            Refusal::UserNotInGroup,
        ],
        doc: "Takes a user out of a group. It needs the permission on both.",
        example: &[("UserName", "zhangqiang"), ("GroupName", "developers")],
    };

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:RemoveUserFromGroup", Target::Ram(RamKind::User, &self.user_name)),
            ("ram:RemoveUserFromGroup", Target::Ram(RamKind::Group, &self.group_name)),
        )
    }
}
