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
    const SHEET: ActionSpec = ActionSpec {
        name: "AddUserToGroup",
        errors: &[
            Refusal::UserNotFound,
            Refusal::GroupNotFound,
            Refusal::UserInGroup,
            Refusal::UserGroupLimit,
            Refusal::PolicyCost(TooCostly::ANY),
        ],
        doc: "Puts a user into a group. It needs the permission on both.",
        example: &[("UserName", "zhangqiang"), ("GroupName", "developers")],
        ..ActionSpec::write(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::User, &self.user_name), Target::Ram(RamKind::Group, &self.group_name))
    }
}
