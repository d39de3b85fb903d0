//! `ListUsersForGroup`: the users in a group.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        names::GROUP_NAME,
    },
    error::Refusal,
    param::{Input, optional, required},
    time::Timestamp,
};

pub struct ListUsersForGroup {
    pub group_name: String,
    pub listing: Listing,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub users: MemberList,
    pub is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MemberList {
    pub user: Vec<Member>,
}

/// A user in a group.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Member {
    pub user_name: String,
    pub display_name: String,
    pub join_date: Timestamp,
}

impl Action for ListUsersForGroup {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListUsersForGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&GROUP_NAME), optional(&MARKER), optional(&MAX_ITEMS)],
        output: &["Users", "IsTruncated", "Marker"],
        states: StateRule::ANY,
        errors: &[Refusal::GroupNameLength, Refusal::GroupNameChars, Refusal::GroupNotFound],
        doc: "Lists the users in a group, by name.",
        example: &[("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let group_name = input.required(&GROUP_NAME)?;
        Ok(Self { group_name, listing: Listing::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListUsersForGroup", Target::Ram(RamKind::Group, &self.group_name))
    }
}
