//! `ListRoles`: all roles.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        policies::params::{TAG, no_tags},
        roles::params::RoleRow,
    },
    error::Refusal,
    param::{Input, optional},
};

pub struct ListRoles {
    pub listing: Listing,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub roles: RoleList,
    pub is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleList {
    pub role: Vec<RoleRow>,
}

impl Action for ListRoles {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListRoles",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&MARKER), optional(&MAX_ITEMS), optional(&TAG)],
        output: &["Roles", "IsTruncated", "Marker"],
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
