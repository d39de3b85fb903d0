//! `AttachPolicyToGroup`: rights for a group.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::{
        names::GROUP_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct AttachPolicyToGroup {
    pub policy: PolicyRef,
    pub group: String,
}

impl Action for AttachPolicyToGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AttachPolicyToGroup",
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
            Refusal::GroupPolicyExists,
            Refusal::GroupPoliciesLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Gives a group the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
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
            ("ram:AttachPolicyToGroup", Target::Ram(RamKind::Group, &self.group)),
            ("ram:AttachPolicyToGroup", self.policy.target()),
        )
    }
}
