//! `GetPolicy`: a policy and its default version.

use crate::actions::{
    prelude::*,
    ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, PolicyRow, VersionRow},
};

request! {
    pub struct GetPolicy {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
    }
}

answer! {
    pub struct Output {
        /// The policy.
        policy: PolicyRow => "Policy",
        /// The version that counts.
        default_policy_version: VersionRow => "DefaultPolicyVersion",
    }
}

impl Action for GetPolicy {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetPolicy",
        errors: &[Refusal::PolicyNotFound],
        doc: "Tells what a policy is and allows.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(self.policy.target())
    }
}
