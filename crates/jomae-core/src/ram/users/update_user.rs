use jomae_api::actions::ram::users::{UserOutput, update_user::UpdateUser};

use super::info;
use crate::{
    prelude::*,
    ram::{entities, find, record::UserRecord},
};

impl Handle<UpdateUser> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateUser>,
    ) -> Result<UserOutput> {
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
        entities::replace(tx, account, &*old, &record)?;
        Ok(UserOutput { user: info(&record) })
    }
}
