//! `CreatePolicy`: a policy with its first version.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::policies::params::{
        DESCRIPTION, EXAMPLE_DOCUMENT, MALFORMED, POLICY_DOCUMENT, POLICY_NAME, PolicyOutput, TAG, no_tags,
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct CreatePolicy {
    pub name: String,
    pub document: String,
    pub description: String,
}

impl Action for CreatePolicy {
    type Output = PolicyOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreatePolicy",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_NAME), required(&POLICY_DOCUMENT), optional(&DESCRIPTION), optional(&TAG)],
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

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let name = input.required(&POLICY_NAME)?;
        let document = input.required(&POLICY_DOCUMENT)?;
        let description = input.optional(&DESCRIPTION)?.unwrap_or_default();
        no_tags(input)?;
        Ok(Self { name, document, description })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreatePolicy", Target::Ram(RamKind::Policy, &self.name))
    }
}
