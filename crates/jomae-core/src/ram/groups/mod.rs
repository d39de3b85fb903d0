//! Groups of users. One file an action.

mod add_user_to_group;
mod create_group;
mod delete_group;
mod get_group;
mod list_groups;
mod list_groups_for_user;
mod list_users_for_group;
mod remove_user_from_group;
mod update_group;

use jomae_api::{actions::ram::groups::GroupInfo, time::Timestamp};

use super::record::GroupRecord;

fn info(record: &GroupRecord) -> GroupInfo {
    GroupInfo {
        group_id: record.id.clone(),
        group_name: record.name.clone(),
        comments: record.comments.clone(),
        create_date: Timestamp(record.created),
        update_date: Some(Timestamp(record.updated)),
    }
}
