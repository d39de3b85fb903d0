//! `DetachPolicyFromUser`: rights taken from a user.

use crate::actions::{
    prelude::*,
    ram::{
        names::USER_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
};

request! {
    pub struct DetachPolicyFromUser {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        user: String = required USER_NAME,
    }
    also optional RESOURCE_GROUP_ID;
}

impl Action for DetachPolicyFromUser {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DetachPolicyFromUser",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: Self::PARAMS,
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

    fn access(&self) -> Access<'_> {
        Access::two(
            ("ram:DetachPolicyFromUser", Target::Ram(RamKind::User, &self.user)),
            ("ram:DetachPolicyFromUser", self.policy.target()),
        )
    }
}
