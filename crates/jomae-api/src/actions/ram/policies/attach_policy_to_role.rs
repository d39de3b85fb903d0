//! `AttachPolicyToRole`: rights for a role.

use crate::actions::{
    prelude::*,
    ram::{
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
        roles::params::ROLE_NAME,
    },
};

request! {
    pub struct AttachPolicyToRole {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        role: String = required ROLE_NAME,
    }
    also optional RESOURCE_GROUP_ID;
}

impl Action for AttachPolicyToRole {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AttachPolicyToRole",
        params: Self::PARAMS,
        errors: &[
            Refusal::RoleNotFound,
            Refusal::PolicyNotFound,
            Refusal::RolePolicyExists,
            Refusal::RolePoliciesLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Gives a role the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("RoleName", "deployer")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::Role, &self.role), self.policy.target())
    }
}
