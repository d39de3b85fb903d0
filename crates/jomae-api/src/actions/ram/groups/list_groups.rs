//! `ListGroups`: all groups of the account.

use serde::Serialize;

use super::GroupInfo;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::listing::{Listing, MARKER, MAX_ITEMS},
    error::Refusal,
    param::{Input, optional},
};

pub struct ListGroups {
    pub listing: Listing,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub groups: GroupList,
    pub is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupList {
    pub group: Vec<GroupInfo>,
}

impl Action for ListGroups {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListGroups",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&MARKER), optional(&MAX_ITEMS)],
        output: &["Groups", "IsTruncated", "Marker"],
        states: StateRule::ANY,
        errors: &[],
        doc: "Lists the groups of the account, by name.",
        example: &[("MaxItems", "100")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { listing: Listing::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListGroups", Target::RamAll(RamKind::Group))
    }
}
