//! `CreatePolicyVersion`: another document for a policy.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::policies::params::{
        EXAMPLE_DOCUMENT, MALFORMED, POLICY_DOCUMENT, POLICY_NAME, ROTATE_STRATEGY, RotateStrategy, SET_AS_DEFAULT,
        VersionOutput,
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct CreatePolicyVersion {
    pub name: String,
    pub document: String,
    pub set_as_default: bool,
    pub rotate: RotateStrategy,
}

impl Action for CreatePolicyVersion {
    type Output = VersionOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreatePolicyVersion",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&POLICY_NAME),
            required(&POLICY_DOCUMENT),
            optional(&SET_AS_DEFAULT),
            optional(&ROTATE_STRATEGY),
        ],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyDocumentLength,
            MALFORMED,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
            Refusal::PolicyNotFound,
            Refusal::PolicyVersionsLimit,
        ],
        doc: "Adds a version to a policy of the account, which has at most five. Only the default version counts.",
        example: &[("PolicyName", "encrypt-only"), ("PolicyDocument", EXAMPLE_DOCUMENT), ("SetAsDefault", "true")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let name = input.required(&POLICY_NAME)?;
        let document = input.required(&POLICY_DOCUMENT)?;
        let set_as_default = input.optional(&SET_AS_DEFAULT)?.unwrap_or_default();
        let rotate = input.optional(&ROTATE_STRATEGY)?.unwrap_or_default();
        Ok(Self { name, document, set_as_default, rotate })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreatePolicyVersion", Target::Ram(RamKind::Policy, &self.name))
    }
}
