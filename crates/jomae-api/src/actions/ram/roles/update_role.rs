//! `UpdateRole`: other trust, another limit or other words for a role.

use crate::actions::{
    prelude::*,
    ram::{
        policies::params::NEW_DESCRIPTION,
        roles::params::{
            EXAMPLE_TRUST, NEW_ALLOW_CONSOLE_LOGIN, NEW_ASSUME_ROLE_POLICY_DOCUMENT, NEW_MAX_SESSION_DURATION,
            ROLE_NAME, RoleOutput,
        },
    },
};

request! {
    /// What is `None` stays as it is.
    pub struct UpdateRole {
        name: String = required ROLE_NAME,
        trust: Option<String> = optional NEW_ASSUME_ROLE_POLICY_DOCUMENT,
        description: Option<String> = optional_maybe_empty NEW_DESCRIPTION,
        max_session_secs: Option<u32> = optional NEW_MAX_SESSION_DURATION,
    }
    also optional NEW_ALLOW_CONSOLE_LOGIN;
}

impl Action for UpdateRole {
    type Output = RoleOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateRole",
        errors: &[Refusal::RoleNotFound],
        doc: "Changes what is given of a role; the rest stays.",
        example: &[("RoleName", "deployer"), ("NewAssumeRolePolicyDocument", EXAMPLE_TRUST)],
        ..ActionSpec::write(Group::Roles)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Role, &self.name))
    }
}
