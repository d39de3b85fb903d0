//! `ListGroupsForUser`: the groups that a user is in.

use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct ListGroupsForUser {
        user_name: String = required USER_NAME,
    }
}

answer! {
    pub struct Output {
        /// The groups.
        groups: List<JoinedGroup> => "Groups",
    }

    /// A group that a user is in.
    pub struct JoinedGroup as "Group" {
        /// ID of the group: 18 digits, which no other group ever has.
        group_id: String => "GroupId",
        /// Name of the group.
        group_name: String => "GroupName",
        /// Notes.
        comments: String => "Comments",
        /// When the user came into the group.
        join_date: Timestamp => "JoinDate",
    }
}

impl Action for ListGroupsForUser {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListGroupsForUser",
        errors: &[Refusal::UserNotFound],
        doc: "Lists the groups that a user is in, by name.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::read(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
