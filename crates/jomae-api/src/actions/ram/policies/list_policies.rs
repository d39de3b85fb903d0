//! `ListPolicies`: all policies.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{
        listing::{Listing, MARKER, MAX_ITEMS},
        policies::params::{POLICY_TYPE, PolicyRow, PolicyType, TAG, no_tags},
    },
    answer::{List, answer},
    error::Refusal,
    param::{Input, optional},
};

pub struct ListPolicies {
    /// `None`: those of the service, then those of the account.
    pub kind: Option<PolicyType>,
    pub listing: Listing,
}

answer! {
    /// The answer.
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
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPolicies",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&POLICY_TYPE), optional(&MARKER), optional(&MAX_ITEMS), optional(&TAG)],
        states: StateRule::ANY,
        errors: &[Refusal::PolicyTypeInvalid],
        doc: "Lists the policies of the service and of the account, by name; those of the service first.",
        example: &[("PolicyType", "Custom"), ("MaxItems", "50")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let kind = input.optional(&POLICY_TYPE)?;
        let listing = Listing::parse(input)?;
        no_tags(input)?;
        Ok(Self { kind, listing })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPolicies", Target::RamAll(RamKind::Policy))
    }
}
