use jomae_api::actions::ram::users::{UserOutput, update_user::UpdateUser};

use super::info;
use crate::{
    prelude::*,
    ram::{
        find,
        record::{
            NameRecord, UserRecord,
            path::{self, Entity},
        },
    },
};

impl Handle<UpdateUser> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, UpdateUser>) -> Result<UserOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let old = find::user(tx, account, &action.user_name)?;
        let or = |new: &Option<String>, old: &String| new.as_ref().unwrap_or(old).clone();
        let record = UserRecord {
            name: or(&action.new_user_name, &old.name),
            display_name: or(&action.new_display_name, &old.display_name),
            mobile_phone: or(&action.new_mobile_phone, &old.mobile_phone),
            email: or(&action.new_email, &old.email),
            comments: or(&action.new_comments, &old.comments),
            updated: call.now.0,
            ..(*old).clone()
        };
        if record.name != old.name {
            let named = path::name(account, Entity::User, &record.name);
            if tx.get::<NameRecord>(&named)?.is_some() {
                return Err(Refusal::UserExists.into());
            }
            tx.put(named, &NameRecord { id: record.id.clone() })?;
            tx.delete(path::name(account, Entity::User, &old.name));
        }
        tx.put(path::user(account, &record.id), &record)?;
        Ok(UserOutput { user: info(&record) })
    }
}
