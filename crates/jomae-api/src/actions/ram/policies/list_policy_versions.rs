//! `ListPolicyVersions`: the versions of a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, VersionRow},
};

request! {
    pub struct ListPolicyVersions {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
    }
}

answer! {
    pub struct Output {
        /// The versions, the oldest first.
        policy_versions: List<VersionRow> => "PolicyVersions",
    }
}

impl Action for ListPolicyVersions {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListPolicyVersions",
        errors: &[Refusal::PolicyNotFound],
        doc: "Lists the versions of a policy, the oldest first, with their documents.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(self.policy.target())
    }
}
