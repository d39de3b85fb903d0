//! `GetPolicy`: a policy and its default version.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, PolicyRow, VersionRow},
    error::Refusal,
    param::{Input, required},
};

pub struct GetPolicy {
    pub policy: PolicyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub policy: PolicyRow,
    pub default_policy_version: VersionRow,
}

impl Action for GetPolicy {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetPolicy",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME)],
        output: &["Policy", "DefaultPolicyVersion"],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyNotFound,
        ],
        doc: "Tells what a policy is and allows.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { policy: PolicyRef::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetPolicy", self.policy.target())
    }
}
