//! `ListUsers`: all users of the account.

use super::UserInfo;
use crate::actions::{
    prelude::*,
    ram::listing::{Listing, MARKER, MAX_ITEMS},
};

request! {
    pub struct ListUsers {
        listing: Listing = optional MARKER and optional MAX_ITEMS => Listing::parse,
    }
}

answer! {
    pub struct Output {
        /// The page.
        users: List<UserInfo> => "Users",
        /// Whether there are more rows.
        is_truncated: bool => "IsTruncated",
        /// Where the next page begins; absent at the end.
        marker: Option<String> => "Marker",
    }
}

impl Action for ListUsers {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListUsers",
        doc: "Lists the users of the account, by name.",
        example: &[("MaxItems", "100")],
        ..ActionSpec::read(Group::Users)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamAll(RamKind::User))
    }
}
