//! `DeleteGroup`: a group that has nothing any more.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, RamKind, StateRule, Target},
    actions::ram::names::GROUP_NAME,
    error::Refusal,
    param::{Input, required},
};

pub struct DeleteGroup {
    pub group_name: String,
}

impl Action for DeleteGroup {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&GROUP_NAME)],
        states: StateRule::ANY,
        errors: &[
            Refusal::GroupNameLength,
            Refusal::GroupNameChars,
            Refusal::GroupNotFound,
            Refusal::GroupHasUsers,
            Refusal::GroupHasPolicies,
        ],
        doc: "Deletes a group that has no users and no policies.",
        example: &[("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { group_name: input.required(&GROUP_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeleteGroup", Target::Ram(RamKind::Group, &self.group_name))
    }
}
