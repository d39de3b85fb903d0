//! `ListUsers`: all users of the account.

use serde::Serialize;

use super::UserInfo;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::listing::{Listing, MARKER, MAX_ITEMS},
    error::Refusal,
    param::{Input, optional},
};

pub struct ListUsers {
    pub listing: Listing,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub users: UserList,
    pub is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserList {
    pub user: Vec<UserInfo>,
}

impl Action for ListUsers {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListUsers",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&MARKER), optional(&MAX_ITEMS)],
        output: &["Users", "IsTruncated", "Marker"],
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
