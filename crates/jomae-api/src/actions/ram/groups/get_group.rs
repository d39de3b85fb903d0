//! `GetGroup`: what is known of a group.

use super::GroupOutput;
use crate::actions::{prelude::*, ram::names::GROUP_NAME};

request! {
    pub struct GetGroup {
        group_name: String = required GROUP_NAME,
    }
}

impl Action for GetGroup {
    type Output = GroupOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetGroup",
        group: Group::UserGroups,
        class: Class::Management,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ANY,
        errors: &[Refusal::GroupNameLength, Refusal::GroupNameChars, Refusal::GroupNotFound],
        doc: "Shows what is known of a group.",
        example: &[("GroupName", "developers")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("ram:GetGroup", Target::Ram(RamKind::Group, &self.group_name))
    }
}
