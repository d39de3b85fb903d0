//! `ListRoles`: all roles.

use crate::actions::{
    prelude::*,
    ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        policies::params::{TAG, no_tags},
        roles::params::RoleRow,
    },
};

request! {
    pub struct ListRoles {
        listing: Listing = optional MARKER and optional MAX_ITEMS => Listing::parse,
    }
    also optional TAG => no_tags;
}

answer! {
    pub struct Output {
        /// The page.
        roles: List<RoleRow> => "Roles",
        /// Whether there are more rows.
        is_truncated: bool => "IsTruncated",
        /// Where the next page begins; absent at the end.
        marker: Option<String> => "Marker",
    }
}

impl Action for ListRoles {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListRoles",
        doc: "Lists the roles of the account, by name, without their trust policies.",
        example: &[("MaxItems", "50")],
        ..ActionSpec::read(Group::Roles)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamAll(RamKind::Role))
    }
}
