//! `CreatePolicy`: a policy with its first version.

use crate::actions::{
    prelude::*,
    ram::policies::params::{
        DESCRIPTION, EXAMPLE_DOCUMENT, MALFORMED, POLICY_DOCUMENT, POLICY_NAME, PolicyOutput, TAG, no_tags,
    },
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
    const SPEC: ActionSpec = ActionSpec {
        name: "CreatePolicy",
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
            Refusal::RamDescriptionLength,
            Refusal::PolicyExists,
            Refusal::PoliciesLimit,
        ],
        doc: "Makes a policy of the account, with the document as its version v1. It does nothing until it is attached. A name of a policy of the service is taken.",
        example: &[
            ("PolicyName", "encrypt-only"),
            ("PolicyDocument", EXAMPLE_DOCUMENT),
            ("Description", "Encrypt, not decrypt"),
        ],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreatePolicy", Target::Ram(RamKind::Policy, &self.name))
    }
}
