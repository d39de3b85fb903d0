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
    const SHEET: ActionSpec = ActionSpec {
        name: "ListGroups",
        doc: "Lists the groups of the account, by name.",
        example: &[("MaxItems", "100")],
        ..ActionSpec::read(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamAll(RamKind::Group))
    }
}
