//! Groups: users who share rights.

pub mod add_user_to_group;
pub mod create_group;
pub mod delete_group;
pub mod get_group;
pub mod list_groups;
pub mod list_groups_for_user;
pub mod list_users_for_group;
pub mod remove_user_from_group;
pub mod update_group;

use crate::actions::prelude::*;

answer! {
    /// A group, as answers show it.
    pub struct GroupInfo as "Group" {
        /// ID of the group: 18 digits, which no other group ever has.
        group_id: String => "GroupId",
        /// Name of the group.
        group_name: String => "GroupName",
        /// Notes.
        comments: String => "Comments",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
        /// When it was last changed; not in the answer of CreateGroup.
        update_date: Option<Timestamp> => "UpdateDate",
    }

    pub struct GroupOutput {
        /// The group.
        group: GroupInfo => "Group",
    }
}
