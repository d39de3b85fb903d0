//! `CreatePolicyVersion`: another document for a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{
        EXAMPLE_DOCUMENT, POLICY_DOCUMENT, POLICY_NAME, ROTATE_STRATEGY, RotateStrategy, SET_AS_DEFAULT, VersionOutput,
    },
};

request! {
    pub struct CreatePolicyVersion {
        name: String = required POLICY_NAME,
        document: String = required POLICY_DOCUMENT,
        set_as_default: bool = optional SET_AS_DEFAULT or false,
        rotate: RotateStrategy = optional ROTATE_STRATEGY or RotateStrategy::default(),
    }
}

impl Action for CreatePolicyVersion {
    type Output = VersionOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreatePolicyVersion",
        errors: &[Refusal::PolicyNotFound, Refusal::PolicyVersionsLimit],
        doc: "Adds a version to a policy of the account, which has at most five. Only the default version counts.",
        example: &[("PolicyName", "encrypt-only"), ("PolicyDocument", EXAMPLE_DOCUMENT), ("SetAsDefault", "true")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Policy, &self.name))
    }
}
