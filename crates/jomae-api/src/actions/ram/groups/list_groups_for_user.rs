//! `ListGroupsForUser`: the groups that a user is in.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::names::USER_NAME,
    error::Refusal,
    param::{Input, required},
    time::Timestamp,
};

pub struct ListGroupsForUser {
    pub user_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub groups: JoinedList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinedList {
    pub group: Vec<JoinedGroup>,
}

/// A group that a user is in.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct JoinedGroup {
    pub group_id: String,
    pub group_name: String,
    pub comments: String,
    pub join_date: Timestamp,
}

impl Action for ListGroupsForUser {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListGroupsForUser",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&USER_NAME)],
        output: &["Groups"],
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound],
        doc: "Lists the groups that a user is in, by name.",
        example: &[("UserName", "zhangqiang")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { user_name: input.required(&USER_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListGroupsForUser", Target::Ram(RamKind::User, &self.user_name))
    }
}
