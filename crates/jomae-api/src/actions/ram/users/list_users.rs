//! `ListUsers`: all users of the account.

use super::UserInfo;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::listing::{Listing, MARKER, MAX_ITEMS},
    answer::{List, answer},
    error::Refusal,
    param::{Input, optional},
};

pub struct ListUsers {
    pub listing: Listing,
}

answer! {
    /// The answer.
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
    const SPEC: ActionSpec = ActionSpec {
        name: "ListUsers",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&MARKER), optional(&MAX_ITEMS)],
        states: StateRule::ANY,
        errors: &[],
        doc: "Lists the users of the account, by name.",
        example: &[("MaxItems", "100")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { listing: Listing::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListUsers", Target::RamAll(RamKind::User))
    }
}
