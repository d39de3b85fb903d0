//! `CreateGroup`: a new group without users.

use super::GroupOutput;
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::names::{COMMENTS, GROUP_NAME},
    error::Refusal,
    param::{Input, optional, required},
};

pub struct CreateGroup {
    pub group_name: String,
    pub comments: String,
}

impl Action for CreateGroup {
    type Output = GroupOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&GROUP_NAME), optional(&COMMENTS)],
        states: StateRule::ANY,
        errors: &[
            Refusal::GroupNameLength,
            Refusal::GroupNameChars,
            Refusal::CommentsLength,
            Refusal::GroupExists,
            Refusal::GroupLimit,
        ],
        doc: "Makes a group. Its policies hold for every user in it.",
        example: &[("GroupName", "developers"), ("Comments", "All who write code")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let group_name = input.required(&GROUP_NAME)?;
        Ok(Self { group_name, comments: input.optional(&COMMENTS)?.unwrap_or_default() })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreateGroup", Target::Ram(RamKind::Group, &self.group_name))
    }
}
