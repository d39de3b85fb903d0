//! `AttachPolicyToGroup`: rights for a group.

use crate::actions::{
    prelude::*,
    ram::{
        names::GROUP_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
};

request! {
    pub struct AttachPolicyToGroup {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        group: String = required GROUP_NAME,
    }
    also optional RESOURCE_GROUP_ID;
}

impl Action for AttachPolicyToGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AttachPolicyToGroup",
        params: Self::PARAMS,
        errors: &[
            Refusal::GroupNotFound,
            Refusal::PolicyNotFound,
            Refusal::GroupPolicyExists,
            Refusal::GroupPoliciesLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Gives a group the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("GroupName", "developers")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::Group, &self.group), self.policy.target())
    }
}
