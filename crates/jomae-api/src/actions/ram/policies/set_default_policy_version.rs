//! `SetDefaultPolicyVersion`: which version counts.

use crate::actions::{
    prelude::*,
    ram::policies::params::{POLICY_NAME, VERSION_ID},
};

request! {
    pub struct SetDefaultPolicyVersion {
        name: String = required POLICY_NAME,
        version: u32 = required VERSION_ID,
    }
}

impl Action for SetDefaultPolicyVersion {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "SetDefaultPolicyVersion",
        errors: &[Refusal::PolicyNotFound, Refusal::PolicyVersionNotFound],
        doc: "Makes a version of a policy of the account the one that counts, at once and wherever the policy is attached.",
        example: &[("PolicyName", "encrypt-only"), ("VersionId", "v1")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Policy, &self.name))
    }
}
