//! `UpdatePolicyDescription`: other words for a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{NEW_DESCRIPTION, POLICY_NAME, PolicyOutput},
};

request! {
    pub struct UpdatePolicyDescription {
        name: String = required POLICY_NAME,
        description: String = required_maybe_empty NEW_DESCRIPTION,
    }
}

impl Action for UpdatePolicyDescription {
    type Output = PolicyOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdatePolicyDescription",
        errors: &[Refusal::PolicyNotFound],
        doc: "Changes the description of a policy of the account.",
        example: &[("PolicyName", "encrypt-only"), ("NewDescription", "For the importer")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Policy, &self.name))
    }
}
