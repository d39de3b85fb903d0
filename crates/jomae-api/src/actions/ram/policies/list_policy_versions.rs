//! `ListPolicyVersions`: the versions of a policy.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, VersionRow},
    error::Refusal,
    param::{Input, required},
};

pub struct ListPolicyVersions {
    pub policy: PolicyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub policy_versions: VersionList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VersionList {
    pub policy_version: Vec<VersionRow>,
}

impl Action for ListPolicyVersions {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPolicyVersions",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME)],
        output: &["PolicyVersions"],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyNotFound,
        ],
        doc: "Lists the versions of a policy, the oldest first, with their documents.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { policy: PolicyRef::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPolicyVersions", self.policy.target())
    }
}
