//! `CreateRole`: a role, and who may assume it.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{
        policies::params::{DESCRIPTION, MALFORMED, TAG, no_tags},
        roles::params::{
            ALLOW_CONSOLE_LOGIN, ASSUME_ROLE_POLICY_DOCUMENT, EXAMPLE_TRUST, MAX_SESSION_DURATION, ROLE_NAME,
            RoleOutput,
        },
    },
    error::Refusal,
    limits,
    param::{Input, optional, required},
};

pub struct CreateRole {
    pub name: String,
    pub trust: String,
    pub description: String,
    pub max_session_secs: u32,
}

impl Action for CreateRole {
    type Output = RoleOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateRole",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&ROLE_NAME),
            required(&ASSUME_ROLE_POLICY_DOCUMENT),
            optional(&DESCRIPTION),
            optional(&MAX_SESSION_DURATION),
            optional(&ALLOW_CONSOLE_LOGIN),
            optional(&TAG),
        ],
        states: StateRule::ANY,
        errors: &[
            Refusal::RoleNameLength,
            Refusal::RoleNameChars,
            MALFORMED,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
            Refusal::RamDescriptionLength,
            Refusal::RoleExists,
            Refusal::RolesLimit,
        ],
        doc: "Makes a role. It has no rights until policies are attached to it.",
        example: &[
            ("RoleName", "deployer"),
            ("AssumeRolePolicyDocument", EXAMPLE_TRUST),
            ("Description", "Puts new versions into service"),
            ("MaxSessionDuration", "7200"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let name = input.required(&ROLE_NAME)?;
        let trust = input.required(&ASSUME_ROLE_POLICY_DOCUMENT)?;
        let description = input.optional(&DESCRIPTION)?.unwrap_or_default();
        let max_session_secs = input.optional(&MAX_SESSION_DURATION)?.unwrap_or(*limits::RAM_SESSION_SECS.start());
        input.optional(&ALLOW_CONSOLE_LOGIN)?;
        no_tags(input)?;
        Ok(Self { name, trust, description, max_session_secs })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreateRole", Target::Ram(RamKind::Role, &self.name))
    }
}
