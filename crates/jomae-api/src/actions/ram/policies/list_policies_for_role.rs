//! `ListPoliciesForRole`: the policies of a role.

use crate::actions::{
    prelude::*,
    ram::{policies::params::AttachedOutput, roles::params::ROLE_NAME},
};

request! {
    pub struct ListPoliciesForRole {
        role: String = required ROLE_NAME,
    }
}

impl Action for ListPoliciesForRole {
    type Output = AttachedOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListPoliciesForRole",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::RoleNameLength, Refusal::RoleNameChars, Refusal::RoleNotFound],
        doc: "Lists the policies that are attached to a role, in the order of their attachment.",
        example: &[("RoleName", "deployer")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListPoliciesForRole", Target::Ram(RamKind::Role, &self.role))
    }
}
