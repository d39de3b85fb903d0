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
    const SHEET: ActionSpec = ActionSpec {
        name: "RemoveUserFromGroup",
        errors: &[Refusal::UserNotFound, Refusal::GroupNotFound, Refusal::UserNotInGroup],
        doc: "Takes a user out of a group. It needs the permission on both.",
        example: &[("UserName", "zhangqiang"), ("GroupName", "developers")],
        ..ActionSpec::write(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::User, &self.user_name), Target::Ram(RamKind::Group, &self.group_name))
    }
}
