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

use serde::Serialize;

use crate::time::Timestamp;

/// A group, as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupInfo {
    pub group_id: String,
    pub group_name: String,
    pub comments: String,
    pub create_date: Timestamp,
    /// Not in the answer of `CreateGroup`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_date: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupOutput {
    pub group: GroupInfo,
}
