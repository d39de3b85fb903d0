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
        params: Self::PARAMS,
        errors: &[Refusal::UserNotFound, Refusal::PolicyNotFound, Refusal::UserPolicyNotFound],
        doc: "Takes the rights of a policy from a user, from the next call on.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("UserName", "alice")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::User, &self.user), self.policy.target())
    }
}
