//! `ListRoles`: all roles.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        policies::params::{TAG, no_tags},
        roles::params::RoleRow,
    },
    answer::{List, answer},
    error::Refusal,
    param::{Input, optional},
};

pub struct ListRoles {
    pub listing: Listing,
}

answer! {
    /// The answer.
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
    const SPEC: ActionSpec = ActionSpec {
        name: "ListRoles",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&MARKER), optional(&MAX_ITEMS), optional(&TAG)],
        states: StateRule::ANY,
        errors: &[],
        doc: "Lists the roles of the account, by name, without their trust policies.",
        example: &[("MaxItems", "50")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let listing = Listing::parse(input)?;
        no_tags(input)?;
        Ok(Self { listing })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListRoles", Target::RamAll(RamKind::Role))
    }
}
