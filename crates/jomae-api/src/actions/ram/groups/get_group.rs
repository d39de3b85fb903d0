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
    const SHEET: ActionSpec = ActionSpec {
        name: "GetGroup",
        errors: &[Refusal::GroupNotFound],
        doc: "Shows what is known of a group.",
        example: &[("GroupName", "developers")],
        ..ActionSpec::read(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Group, &self.group_name))
    }
}
