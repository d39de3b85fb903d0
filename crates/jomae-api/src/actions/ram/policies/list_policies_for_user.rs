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
        params: Self::PARAMS,
        errors: &[Refusal::UserNotFound],
        doc: "Lists the policies that are attached to a user, in the order of their attachment. Those of its groups are not among them.",
        example: &[("UserName", "alice")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user))
    }
}
