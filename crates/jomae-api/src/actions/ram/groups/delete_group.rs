//! `DeleteGroup`: a group that has nothing any more.

use crate::actions::{prelude::*, ram::names::GROUP_NAME};

request! {
    pub struct DeleteGroup {
        group_name: String = required GROUP_NAME,
    }
}

impl Action for DeleteGroup {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteGroup",
        errors: &[Refusal::GroupNotFound, Refusal::GroupHasUsers, Refusal::GroupHasPolicies],
        doc: "Deletes a group that has no users and no policies.",
        example: &[("GroupName", "developers")],
        ..ActionSpec::write(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Group, &self.group_name))
    }
}
