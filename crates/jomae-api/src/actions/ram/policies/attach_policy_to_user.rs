//! `AttachPolicyToUser`: rights for a user.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::{
        names::USER_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct AttachPolicyToUser {
    pub policy: PolicyRef,
    pub user: String,
}

impl Action for AttachPolicyToUser {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AttachPolicyToUser",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_TYPE), required(&POLICY_NAME), required(&USER_NAME), optional(&RESOURCE_GROUP_ID)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyTypeInvalid,
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::UserNotFound,
            Refusal::PolicyNotFound,
            Refusal::UserPolicyExists,
            Refusal::UserPoliciesLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Gives a user the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("UserName", "alice")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let policy = PolicyRef::parse(input)?;
        let user = input.required(&USER_NAME)?;
        input.optional(&RESOURCE_GROUP_ID)?;
        Ok(Self { policy, user })
    }

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:AttachPolicyToUser", Target::Ram(RamKind::User, &self.user)),
            ("ram:AttachPolicyToUser", self.policy.target()),
        )
    }
}
