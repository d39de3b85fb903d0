//! `CreateRole`: a role, and who may assume it.

use crate::actions::{
    prelude::*,
    ram::{
        policies::params::{DESCRIPTION, TAG, no_tags},
        roles::params::{
            ALLOW_CONSOLE_LOGIN, ASSUME_ROLE_POLICY_DOCUMENT, EXAMPLE_TRUST, MAX_SESSION_DURATION, ROLE_NAME,
            RoleOutput,
        },
    },
};

request! {
    pub struct CreateRole {
        name: String = required ROLE_NAME,
        trust: String = required ASSUME_ROLE_POLICY_DOCUMENT,
        description: String = optional DESCRIPTION or String::new(),
        max_session_secs: u32 = optional MAX_SESSION_DURATION or *limits::RAM_SESSION_SECS.start(),
    }
    also optional ALLOW_CONSOLE_LOGIN, optional TAG => no_tags;
}

impl Action for CreateRole {
    type Output = RoleOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateRole",
        errors: &[Refusal::RoleExists, Refusal::RolesLimit],
        doc: "Makes a role. It has no rights until policies are attached to it.",
        example: &[
            ("RoleName", "deployer"),
            ("AssumeRolePolicyDocument", EXAMPLE_TRUST),
            ("Description", "Puts new versions into service"),
            ("MaxSessionDuration", "7200"),
        ],
        ..ActionSpec::write(Group::Roles)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Role, &self.name))
    }
}
