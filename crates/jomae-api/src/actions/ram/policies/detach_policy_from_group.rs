//! `DetachPolicyFromGroup`: rights taken from a group.

use crate::actions::{
    prelude::*,
    ram::{
        names::GROUP_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
};

request! {
    pub struct DetachPolicyFromGroup {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        group: String = required GROUP_NAME,
    }
    also optional RESOURCE_GROUP_ID;
}

impl Action for DetachPolicyFromGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DetachPolicyFromGroup",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
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

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:DetachPolicyFromGroup", Target::Ram(RamKind::Group, &self.group)),
            ("ram:DetachPolicyFromGroup", self.policy.target()),
        )
    }
}
