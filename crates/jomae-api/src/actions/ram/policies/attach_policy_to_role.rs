//! `AttachPolicyToRole`: rights for a role.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::{
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
        roles::params::ROLE_NAME,
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct AttachPolicyToRole {
    pub policy: PolicyRef,
    pub role: String,
}

impl Action for AttachPolicyToRole {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AttachPolicyToRole",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME), required(&ROLE_NAME), optional(&RESOURCE_GROUP_ID)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::RoleNameLength,
            Refusal::RoleNameChars,
            Refusal::RoleNotFound,
            Refusal::PolicyNotFound,
            Refusal::RolePolicyExists,
            Refusal::RolePoliciesLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Gives a role the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("RoleName", "deployer")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let policy = PolicyRef::parse(input)?;
        let role = input.required(&ROLE_NAME)?;
        input.optional(&RESOURCE_GROUP_ID)?;
        Ok(Self { policy, role })
    }

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:AttachPolicyToRole", Target::Ram(RamKind::Role, &self.role)),
            ("ram:AttachPolicyToRole", self.policy.target()),
        )
    }
}
