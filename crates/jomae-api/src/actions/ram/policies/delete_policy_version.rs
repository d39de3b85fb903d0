//! `DeletePolicyVersion`: away with a version of a policy.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::policies::params::{POLICY_NAME, VERSION_ID},
    error::Refusal,
    param::{Input, required},
};

pub struct DeletePolicyVersion {
    pub name: String,
    pub version: u32,
}

impl Action for DeletePolicyVersion {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeletePolicyVersion",
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
            Refusal::PolicyVersionIsDefault,
        ],
        doc: "Deletes a version of a policy of the account, but never the default one.",
        example: &[("PolicyName", "encrypt-only"), ("VersionId", "v1")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: input.required(&POLICY_NAME)?, version: input.required(&VERSION_ID)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeletePolicyVersion", Target::Ram(RamKind::Policy, &self.name))
    }
}
