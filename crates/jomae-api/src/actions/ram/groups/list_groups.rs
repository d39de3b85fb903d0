//! `ListGroups`: all groups of the account.

use super::GroupInfo;
use crate::actions::{
    prelude::*,
    ram::listing::{Listing, MARKER, MAX_ITEMS},
};

request! {
    pub struct ListGroups {
        listing: Listing = optional MARKER and optional MAX_ITEMS => Listing::parse,
    }
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
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[],
        doc: "Lists the groups of the account, by name.",
        example: &[("MaxItems", "100")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListGroups", Target::RamAll(RamKind::Group))
    }
}
