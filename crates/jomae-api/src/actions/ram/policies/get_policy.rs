//! `GetPolicy`: a policy and its default version.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, PolicyRow, VersionRow},
    answer::answer,
    error::Refusal,
    param::{Input, required},
};

pub struct GetPolicy {
    pub policy: PolicyRef,
}

answer! {
    /// The answer.
    pub struct Output {
        /// The policy.
        policy: PolicyRow => "Policy",
        /// The version that counts.
        default_policy_version: VersionRow => "DefaultPolicyVersion",
    }
}

impl Action for GetPolicy {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetPolicy",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME)],
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
