//! `GetPolicyVersion`: one version of a policy.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, VERSION_ID, VersionOutput},
    error::Refusal,
    param::{Input, required},
};

pub struct GetPolicyVersion {
    pub policy: PolicyRef,
    pub version: u32,
}

impl Action for GetPolicyVersion {
    type Output = VersionOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetPolicyVersion",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME), required(&VERSION_ID)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyVersionFormat,
            Refusal::PolicyNotFound,
            Refusal::PolicyVersionNotFound,
        ],
        doc: "Tells what a version of a policy allows.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("VersionId", "v1")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { policy: PolicyRef::parse(input)?, version: input.required(&VERSION_ID)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetPolicyVersion", self.policy.target())
    }
}
