//! `GetPolicyVersion`: one version of a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, VERSION_ID, VersionOutput},
};

request! {
    pub struct GetPolicyVersion {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        version: u32 = required VERSION_ID,
    }
}

impl Action for GetPolicyVersion {
    type Output = VersionOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetPolicyVersion",
        errors: &[Refusal::PolicyNotFound, Refusal::PolicyVersionNotFound],
        doc: "Tells what a version of a policy allows.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("VersionId", "v1")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(self.policy.target())
    }
}
