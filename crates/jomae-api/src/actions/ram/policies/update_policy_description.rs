//! `UpdatePolicyDescription`: other words for a policy.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::policies::params::{NEW_DESCRIPTION, POLICY_NAME, PolicyOutput},
    error::Refusal,
    param::{Input, required},
};

pub struct UpdatePolicyDescription {
    pub name: String,
    pub description: String,
}

impl Action for UpdatePolicyDescription {
    type Output = PolicyOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdatePolicyDescription",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_NAME), required(&NEW_DESCRIPTION)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::RamDescriptionLength,
            Refusal::PolicyNotFound,
        ],
        doc: "Changes the description of a policy of the account.",
        example: &[("PolicyName", "encrypt-only"), ("NewDescription", "For the importer")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: input.required(&POLICY_NAME)?, description: input.required_maybe_empty(&NEW_DESCRIPTION)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:UpdatePolicyDescription", Target::Ram(RamKind::Policy, &self.name))
    }
}
