//! `ListEntitiesForPolicy`: who has a policy.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef},
    error::Refusal,
    param::{Input, required},
    time::Timestamp,
};

pub struct ListEntitiesForPolicy {
    pub policy: PolicyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub users: UserList,
    pub groups: GroupList,
    pub roles: RoleList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserList {
    pub user: Vec<UserRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserRow {
    pub user_id: String,
    pub user_name: String,
    pub display_name: String,
    pub attach_date: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupList {
    pub group: Vec<GroupRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupRow {
    pub group_name: String,
    pub comments: String,
    pub attach_date: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleList {
    pub role: Vec<RoleRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleRow {
    pub role_id: String,
    pub role_name: String,
    pub arn: String,
    pub description: String,
    pub attach_date: Timestamp,
}

impl Action for ListEntitiesForPolicy {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListEntitiesForPolicy",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME)],
        output: &["Users", "Groups", "Roles"],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyNotFound,
        ],
        doc: "Lists the users, groups and roles that a policy is attached to.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { policy: PolicyRef::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListEntitiesForPolicy", self.policy.target())
    }
}
