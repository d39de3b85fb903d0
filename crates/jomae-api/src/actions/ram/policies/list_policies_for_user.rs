//! `ListPoliciesForUser`: the policies of a user.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{names::USER_NAME, policies::params::AttachedOutput},
    error::Refusal,
    param::{Input, required},
};

pub struct ListPoliciesForUser {
    pub user: String,
}

impl Action for ListPoliciesForUser {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForUser",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&USER_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound],
        doc: "Lists the policies that are attached to a user, in the order of their attachment. Those of its groups are not among them.",
        example: &[("UserName", "alice")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: input.required(&USER_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPoliciesForUser", Target::Ram(RamKind::User, &self.user))
    }
}
