//! `GetGroup`: what is known of a group.

use super::GroupOutput;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::names::GROUP_NAME,
    error::Refusal,
    param::{Input, required},
};

pub struct GetGroup {
    pub group_name: String,
}

impl Action for GetGroup {
    type Output = GroupOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&GROUP_NAME)],
        states: StateRule::ANY,
        errors: &[Refusal::GroupNameLength, Refusal::GroupNameChars, Refusal::GroupNotFound],
        doc: "Shows what is known of a group.",
        example: &[("GroupName", "developers")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { group_name: input.required(&GROUP_NAME)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetGroup", Target::Ram(RamKind::Group, &self.group_name))
    }
}
