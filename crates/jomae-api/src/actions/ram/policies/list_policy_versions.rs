//! `ListPolicyVersions`: the versions of a policy.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, VersionRow},
    answer::{List, answer},
    error::Refusal,
    param::{Input, required},
};

pub struct ListPolicyVersions {
    pub policy: PolicyRef,
}

answer! {
    /// The answer.
    pub struct Output {
        /// The versions, the oldest first.
        policy_versions: List<VersionRow> => "PolicyVersions",
    }
}

impl Action for ListPolicyVersions {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPolicyVersions",
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
