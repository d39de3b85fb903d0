//! `ListPoliciesForUser`: the policies of a user.

use crate::actions::{
    prelude::*,
    ram::{names::USER_NAME, policies::params::AttachedOutput},
};

request! {
    pub struct ListPoliciesForUser {
        user: String = required USER_NAME,
    }
}

impl Action for ListPoliciesForUser {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForUser",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound],
        doc: "Lists the policies that are attached to a user, in the order of their attachment. Those of its groups are not among them.",
        example: &[("UserName", "alice")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPoliciesForUser", Target::Ram(RamKind::User, &self.user))
    }
}
