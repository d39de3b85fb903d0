//! `DetachPolicyFromRole`: rights taken from a role.

use crate::actions::{
    prelude::*,
    ram::{
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
        roles::params::ROLE_NAME,
    },
};

request! {
    pub struct DetachPolicyFromRole {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        role: String = required ROLE_NAME,
    }
    also optional RESOURCE_GROUP_ID;
}

impl Action for DetachPolicyFromRole {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DetachPolicyFromRole",
        params: Self::PARAMS,
        errors: &[Refusal::RoleNotFound, Refusal::PolicyNotFound, Refusal::RolePolicyNotFound],
        doc: "Takes the rights of a policy from a role, from the next call on.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("RoleName", "deployer")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::Role, &self.role), self.policy.target())
    }
}
