//! `UpdateRole`: other trust, another limit or other words for a role.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::{
        policies::params::{MALFORMED, NEW_DESCRIPTION},
        roles::params::{
            EXAMPLE_TRUST, NEW_ALLOW_CONSOLE_LOGIN, NEW_ASSUME_ROLE_POLICY_DOCUMENT, NEW_MAX_SESSION_DURATION,
            ROLE_NAME, RoleOutput,
        },
    },
    error::Refusal,
    param::{Input, optional, required},
};

/// What is `None` stays as it is.
pub struct UpdateRole {
    pub name: String,
    pub trust: Option<String>,
    pub description: Option<String>,
    pub max_session_secs: Option<u32>,
}

impl Action for UpdateRole {
    type Output = RoleOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateRole",
        group: Group::Roles,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&ROLE_NAME),
            optional(&NEW_ASSUME_ROLE_POLICY_DOCUMENT),
            optional(&NEW_DESCRIPTION),
            optional(&NEW_MAX_SESSION_DURATION),
            optional(&NEW_ALLOW_CONSOLE_LOGIN),
        ],
        states: StateRule::ANY,
        errors: &[
            Refusal::RoleNameLength,
            Refusal::RoleNameChars,
            MALFORMED,
            Refusal::PolicyCost(crate::policy::TooCostly::ANY),
            Refusal::RamDescriptionLength,
            Refusal::RoleNotFound,
        ],
        doc: "Changes what is given of a role; the rest stays.",
        example: &[("RoleName", "deployer"), ("NewAssumeRolePolicyDocument", EXAMPLE_TRUST)],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let name = input.required(&ROLE_NAME)?;
        let trust = input.optional(&NEW_ASSUME_ROLE_POLICY_DOCUMENT)?;
        let description = input.optional_maybe_empty(&NEW_DESCRIPTION)?;
        let max_session_secs = input.optional(&NEW_MAX_SESSION_DURATION)?;
        input.optional(&NEW_ALLOW_CONSOLE_LOGIN)?;
        Ok(Self { name, trust, description, max_session_secs })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:UpdateRole", Target::Ram(RamKind::Role, &self.name))
    }
}
