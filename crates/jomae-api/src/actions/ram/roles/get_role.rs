//! `GetRole`: what a role is.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::roles::params::{ROLE_NAME, RoleOutput},
    error::Refusal,
    param::{Input, required},
};

pub struct GetRole {
    pub name: String,
}

impl Action for GetRole {
    type Output = RoleOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetRole",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&ROLE_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::RoleNameLength, Refusal::RoleNameChars, Refusal::RoleNotFound],
        doc: "Tells what a role is, and who may assume it.",
        example: &[("RoleName", "deployer")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: input.required(&ROLE_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetRole", Target::Ram(RamKind::Role, &self.name))
    }
}
