//! `ListPoliciesForRole`: the policies of a role.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{policies::params::AttachedOutput, roles::params::ROLE_NAME},
    error::Refusal,
    param::{Input, required},
};

pub struct ListPoliciesForRole {
    pub role: String,
}

impl Action for ListPoliciesForRole {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForRole",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&ROLE_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::RoleNameLength, Refusal::RoleNameChars, Refusal::RoleNotFound],
        doc: "Lists the policies that are attached to a role, in the order of their attachment.",
        example: &[("RoleName", "deployer")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { role: input.required(&ROLE_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPoliciesForRole", Target::Ram(RamKind::Role, &self.role))
    }
}
