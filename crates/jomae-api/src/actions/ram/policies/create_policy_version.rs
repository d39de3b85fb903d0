//! `CreatePolicyVersion`: another document for a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{
        EXAMPLE_DOCUMENT, MALFORMED, POLICY_DOCUMENT, POLICY_NAME, ROTATE_STRATEGY, RotateStrategy, SET_AS_DEFAULT,
        VersionOutput,
    },
};

request! {
    pub struct CreatePolicyVersion {
        name: String = required POLICY_NAME,
        document: String = required POLICY_DOCUMENT,
        set_as_default: bool = optional SET_AS_DEFAULT or false,
        rotate: RotateStrategy = optional ROTATE_STRATEGY or Default::default(),
    }
}

impl Action for CreatePolicyVersion {
    type Output = VersionOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreatePolicyVersion",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyDocumentLength,
            MALFORMED,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
            Refusal::PolicyNotFound,
            Refusal::PolicyVersionsLimit,
        ],
        doc: "Adds a version to a policy of the account, which has at most five. Only the default version counts.",
        example: &[("PolicyName", "encrypt-only"), ("PolicyDocument", EXAMPLE_DOCUMENT), ("SetAsDefault", "true")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreatePolicyVersion", Target::Ram(RamKind::Policy, &self.name))
    }
}
