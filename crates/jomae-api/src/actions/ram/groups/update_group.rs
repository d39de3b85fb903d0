//! `UpdateGroup`: another name, or other notes.

use super::GroupOutput;
use crate::actions::{
    prelude::*,
    ram::names::{GROUP_NAME, NEW_COMMENTS, NEW_GROUP_NAME},
};

request! {
    pub struct UpdateGroup {
        group_name: String = required GROUP_NAME,
        new_group_name: Option<String> = optional NEW_GROUP_NAME,
        new_comments: Option<String> = optional_maybe_empty NEW_COMMENTS,
    }
}

impl Action for UpdateGroup {
    type Output = GroupOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateGroup",
        errors: &[Refusal::GroupNotFound, Refusal::GroupExists],
        doc: "Changes what is given, and leaves the rest as it is. An empty comment is taken away. Renaming needs the permission on both names.",
        example: &[("GroupName", "developers"), ("NewGroupName", "engineers")],
        ..ActionSpec::write(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        let old = Target::Ram(RamKind::Group, &self.group_name);
        match &self.new_group_name {
            Some(new) => Self::on_both(old, Target::Ram(RamKind::Group, new)),
            None => Self::on(old),
        }
    }
}
