//! `DeleteRole`: away with a role.

use crate::actions::{prelude::*, ram::roles::params::ROLE_NAME};

request! {
    pub struct DeleteRole {
        name: String = required ROLE_NAME,
    }
}

impl Action for DeleteRole {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteRole",
        errors: &[Refusal::RoleNotFound, Refusal::RoleHasPolicies],
        doc: "Deletes a role that has no policies. Its sessions end with it; a role of the same name is another one.",
        example: &[("RoleName", "deployer")],
        ..ActionSpec::write(Group::Roles)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Role, &self.name))
    }
}
