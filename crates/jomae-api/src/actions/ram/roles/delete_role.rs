//! `DeleteRole`: away with a role.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::roles::params::ROLE_NAME,
    error::Refusal,
    param::{Input, required},
};

pub struct DeleteRole {
    pub name: String,
}

impl Action for DeleteRole {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteRole",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&ROLE_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::RoleNameLength, Refusal::RoleNameChars, Refusal::RoleNotFound, Refusal::RoleHasPolicies],
        doc: "Deletes a role that has no policies. Its sessions end with it; a role of the same name is another one.",
        example: &[("RoleName", "deployer")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { name: input.required(&ROLE_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeleteRole", Target::Ram(RamKind::Role, &self.name))
    }
}
