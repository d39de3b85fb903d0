//! Users. One file an action.

mod create_user;
mod delete_user;
mod get_user;
mod list_users;
mod update_user;

use jomae_api::{actions::ram::users::UserInfo, time::Timestamp};

use super::record::UserRecord;

fn info(record: &UserRecord) -> UserInfo {
    UserInfo {
        user_id: record.id.clone(),
        user_name: record.name.clone(),
        display_name: record.display_name.clone(),
        mobile_phone: record.mobile_phone.clone(),
        email: record.email.clone(),
        comments: record.comments.clone(),
        create_date: Timestamp(record.created),
        update_date: Some(Timestamp(record.updated)),
    }
}
