//! `GetRole`: what a role is.

use crate::actions::{
    prelude::*,
    ram::roles::params::{ROLE_NAME, RoleOutput},
};

request! {
    pub struct GetRole {
        name: String = required ROLE_NAME,
    }
}

impl Action for GetRole {
    type Output = RoleOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetRole",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::RoleNameLength, Refusal::RoleNameChars, Refusal::RoleNotFound],
        doc: "Tells what a role is, and who may assume it.",
        example: &[("RoleName", "deployer")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetRole", Target::Ram(RamKind::Role, &self.name))
    }
}
