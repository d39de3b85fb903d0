//! `DetachPolicyFromUser`: rights taken from a user.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::{
        names::USER_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
    error::Refusal,
    param::{Input, optional, required},
};

pub struct DetachPolicyFromUser {
    pub policy: PolicyRef,
    pub user: String,
}

impl Action for DetachPolicyFromUser {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DetachPolicyFromUser",
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
            Refusal::UserPolicyNotFound,
        ],
        doc: "Takes the rights of a policy from a user, from the next call on.",
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
            ("ram:DetachPolicyFromUser", Target::Ram(RamKind::User, &self.user)),
            ("ram:DetachPolicyFromUser", self.policy.target()),
        )
    }
}
