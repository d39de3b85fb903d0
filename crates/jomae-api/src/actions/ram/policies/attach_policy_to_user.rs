//! `AttachPolicyToUser`: rights for a user.

use crate::actions::{
    prelude::*,
    ram::{
        names::USER_NAME,
        policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
    },
};

request! {
    pub struct AttachPolicyToUser {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
        user: String = required USER_NAME,
    }
    also optional RESOURCE_GROUP_ID;
}

impl Action for AttachPolicyToUser {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "AttachPolicyToUser",
        params: Self::PARAMS,
        errors: &[
            Refusal::UserNotFound,
            Refusal::PolicyNotFound,
            Refusal::UserPolicyExists,
            Refusal::UserPoliciesLimit,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
        ],
        doc: "Gives a user the rights of a policy, from the next call on: at most 20 policies of the service and 10 of the account.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only"), ("UserName", "alice")],
        ..ActionSpec::write(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on_both(Target::Ram(RamKind::User, &self.user), self.policy.target())
    }
}
