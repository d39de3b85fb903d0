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
        params: Self::PARAMS,
        errors: &[Refusal::GroupNotFound, Refusal::PolicyNotFound, Refusal::GroupPolicyNotFound],
        doc: "Takes the rights of a policy from a group, from the next call on.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("GroupName", "developers")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::Group, &self.group), self.policy.target())
    }
}
