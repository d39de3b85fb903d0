//! `CreateGroup`: a new group without users.

use super::GroupOutput;
use crate::actions::{
    prelude::*,
    ram::names::{COMMENTS, GROUP_NAME},
};

request! {
    pub struct CreateGroup {
        group_name: String = required GROUP_NAME,
        comments: String = optional COMMENTS or String::new(),
    }
}

impl Action for CreateGroup {
    type Output = GroupOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateGroup",
        errors: &[Refusal::GroupExists, Refusal::GroupLimit],
        doc: "Makes a group. Its policies hold for every user in it.",
        example: &[("GroupName", "developers"), ("Comments", "All who write code")],
        ..ActionSpec::write(Group::UserGroups)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::Group, &self.group_name))
    }
}
