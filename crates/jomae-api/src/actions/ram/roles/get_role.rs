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
    const SHEET: ActionSpec = ActionSpec {
        name: "GetRole",
        errors: &[Refusal::RoleNotFound],
        doc: "Tells what a role is, and who may assume it.",
        example: &[("RoleName", "deployer")],
        ..ActionSpec::read(Group::Roles)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Role, &self.name))
    }
}
