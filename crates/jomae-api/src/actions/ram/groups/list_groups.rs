//! `ListGroups`: all groups of the account.

use super::GroupInfo;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::listing::{Listing, MARKER, MAX_ITEMS},
    answer::{List, answer},
    error::Refusal,
    param::{Input, optional},
};

pub struct ListGroups {
    pub listing: Listing,
}

answer! {
    /// The answer.
    pub struct Output {
        /// The page.
        groups: List<GroupInfo> => "Groups",
        /// Whether there are more rows.
        is_truncated: bool => "IsTruncated",
        /// Where the next page begins; absent at the end.
        marker: Option<String> => "Marker",
    }
}

impl Action for ListGroups {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListGroups",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&MARKER), optional(&MAX_ITEMS)],
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
