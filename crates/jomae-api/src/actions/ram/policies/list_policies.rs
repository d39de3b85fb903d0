//! `ListPolicies`: all policies.

use crate::actions::{
    prelude::*,
    ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        policies::params::{POLICY_TYPE, PolicyRow, PolicyType, TAG, no_tags},
    },
};

request! {
    pub struct ListPolicies {
        /// `None`: those of the service, then those of the account.
        kind: Option<PolicyType> = optional POLICY_TYPE,
        listing: Listing = optional MARKER and optional MAX_ITEMS => Listing::parse,
    }
    also optional TAG => no_tags;
}

answer! {
    pub struct Output {
        /// The page.
        policies: List<PolicyRow> => "Policies",
        /// Whether there are more rows.
        is_truncated: bool => "IsTruncated",
        /// Where the next page begins; absent at the end.
        marker: Option<String> => "Marker",
    }
}

impl Action for ListPolicies {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListPolicies",
        doc: "Lists the policies of the service and of the account, by name; those of the service first.",
        example: &[("PolicyType", "Custom"), ("MaxItems", "50")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamAll(RamKind::Policy))
    }
}
