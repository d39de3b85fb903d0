//! `ListUsersForGroup`: the users in a group.

use crate::actions::{
    prelude::*,
    ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        names::GROUP_NAME,
    },
};

request! {
    pub struct ListUsersForGroup {
        group_name: String = required GROUP_NAME,
        listing: Listing = optional MARKER and optional MAX_ITEMS => Listing::parse,
    }
}

answer! {
    pub struct Output {
        /// The page.
        users: List<Member> => "Users",
        /// Whether there are more rows.
        is_truncated: bool => "IsTruncated",
        /// Where the next page begins; absent at the end.
        marker: Option<String> => "Marker",
    }

    /// A user in a group.
    pub struct Member as "User" {
        /// Name of the user.
        user_name: String => "UserName",
        /// The name for people.
        display_name: String => "DisplayName",
        /// When the user came into the group.
        join_date: Timestamp => "JoinDate",
    }
}

impl Action for ListUsersForGroup {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListUsersForGroup",
        errors: &[Refusal::GroupNotFound],
        doc: "Lists the users in a group, by name.",
        example: &[("GroupName", "developers")],
        ..ActionSpec::read(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Group, &self.group_name))
    }
}
