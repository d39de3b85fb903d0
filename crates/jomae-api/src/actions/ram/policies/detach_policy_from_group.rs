//! `DetachPolicyFromGroup`: rights taken from a group.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::{
        names::GROUP_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct DetachPolicyFromGroup {
    pub policy: PolicyRef,
    pub group: String,
}

impl Action for DetachPolicyFromGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DetachPolicyFromGroup",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME), required(&GROUP_NAME), optional(&RESOURCE_GROUP_ID)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::GroupNameLength,
            Refusal::GroupNameChars,
            Refusal::GroupNotFound,
            Refusal::PolicyNotFound,
            Refusal::GroupPolicyNotFound,
        ],
        doc: "Takes the rights of a policy from a group, from the next call on.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let policy = PolicyRef::parse(input)?;
        let group = input.required(&GROUP_NAME)?;
        input.optional(&RESOURCE_GROUP_ID)?;
        Ok(Self { policy, group })
    }

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:DetachPolicyFromGroup", Target::Ram(RamKind::Group, &self.group)),
            ("ram:DetachPolicyFromGroup", self.policy.target()),
        )
    }
}
