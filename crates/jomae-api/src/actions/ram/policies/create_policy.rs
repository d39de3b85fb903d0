//! `CreatePolicy`: a policy with its first version.

use crate::actions::{
    prelude::*,
    ram::policies::params::{DESCRIPTION, EXAMPLE_DOCUMENT, POLICY_DOCUMENT, POLICY_NAME, PolicyOutput, TAG, no_tags},
};

request! {
    pub struct CreatePolicy {
        name: String = required POLICY_NAME,
        document: String = required POLICY_DOCUMENT,
        description: String = optional DESCRIPTION or String::new(),
    }
    also optional TAG => no_tags;
}

impl Action for CreatePolicy {
    type Output = PolicyOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreatePolicy",
        errors: &[Refusal::PolicyExists, Refusal::PoliciesLimit],
        doc: "Makes a policy of the account, with the document as its version v1. It does nothing until it is attached. A name of a policy of the service is taken.",
        example: &[
            ("PolicyName", "encrypt-only"),
            ("PolicyDocument", EXAMPLE_DOCUMENT),
            ("Description", "Encrypt, not decrypt"),
        ],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Policy, &self.name))
    }
}
