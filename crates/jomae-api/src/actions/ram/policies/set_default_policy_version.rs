//! `SetDefaultPolicyVersion`: which version counts.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::policies::params::{POLICY_NAME, VERSION_ID},
    error::Refusal,
    param::{Input, required},
};

pub struct SetDefaultPolicyVersion {
    pub name: String,
    pub version: u32,
}

impl Action for SetDefaultPolicyVersion {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "SetDefaultPolicyVersion",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_NAME), required(&VERSION_ID)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyVersionFormat,
            Refusal::PolicyNotFound,
            Refusal::PolicyVersionNotFound,
        ],
        doc: "Makes a version of a policy of the account the one that counts, at once and wherever the policy is attached.",
        example: &[("PolicyName", "encrypt-only"), ("VersionId", "v1")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: input.required(&POLICY_NAME)?, version: input.required(&VERSION_ID)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:SetDefaultPolicyVersion", Target::Ram(RamKind::Policy, &self.name))
    }
}
