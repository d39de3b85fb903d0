//! `DeletePolicy`: away with a policy.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::policies::params::{CASCADING_DELETE, POLICY_NAME},
    error::Refusal,
    param::{Input, optional, required},
};

pub struct DeletePolicy {
    pub name: String,
    pub cascading: bool,
}

impl Action for DeletePolicy {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeletePolicy",
        group: Group::Policies,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&POLICY_NAME), optional(&CASCADING_DELETE)],
        states: StateRule::ANY,
        errors: &[
            Refusal::PolicyNameLength,
            Refusal::PolicyNameChars,
            Refusal::PolicyNotFound,
            Refusal::PolicyHasUser,
            Refusal::PolicyHasGroup,
            Refusal::PolicyHasRole,
            Refusal::PolicyHasVersions,
        ],
        doc: "Deletes a policy of the account that is attached to nobody.",
        example: &[("PolicyName", "encrypt-only"), ("CascadingDelete", "true")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let name = input.required(&POLICY_NAME)?;
        Ok(Self { name, cascading: input.optional(&CASCADING_DELETE)?.unwrap_or_default() })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeletePolicy", Target::Ram(RamKind::Policy, &self.name))
    }
}
