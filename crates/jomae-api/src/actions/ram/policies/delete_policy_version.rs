//! `DeletePolicyVersion`: away with a version of a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{POLICY_NAME, VERSION_ID},
};

request! {
    pub struct DeletePolicyVersion {
        name: String = required POLICY_NAME,
        version: u32 = required VERSION_ID,
    }
}

impl Action for DeletePolicyVersion {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeletePolicyVersion",
        errors: &[Refusal::PolicyNotFound, Refusal::PolicyVersionNotFound, Refusal::PolicyVersionIsDefault],
        doc: "Deletes a version of a policy of the account, but never the default one.",
        example: &[("PolicyName", "encrypt-only"), ("VersionId", "v1")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Policy, &self.name))
    }
}
