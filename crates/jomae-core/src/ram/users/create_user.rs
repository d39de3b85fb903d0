use jomae_api::actions::ram::users::{UserInfo, UserOutput, create_user::CreateUser};

use super::info;
use crate::{
    identity::new_entity_id,
    prelude::*,
    quota::is_full,
    ram::{
        counts,
        record::{
            NameRecord, UserRecord,
            path::{self, Entity},
        },
    },
};

impl Handle<CreateUser> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, CreateUser>) -> Result<UserOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let named = path::name(account, Entity::User, &action.user_name);
        if tx.get::<NameRecord>(&named)?.is_some() {
            return Err(Refusal::UserExists.into());
        }
        let mut counts = counts::of(tx, account)?;
        if is_full(self.quotas.quotas().users, counts.users) {
            return Err(Refusal::UserLimit.into());
        }
        counts.users += 1;
        let record = UserRecord {
            id: new_entity_id(),
            name: action.user_name.clone(),
            display_name: action.display_name.clone(),
            mobile_phone: action.mobile_phone.clone(),
            email: action.email.clone(),
            comments: action.comments.clone(),
            created: call.now.0,
            updated: call.now.0,
            policies: Vec::new(),
            groups: Vec::new(),
            access_keys: Vec::new(),
        };
        tx.put(named, &NameRecord { id: record.id.clone() })?;
        tx.put(path::user(account, &record.id), &record)?;
        counts::put(tx, account, &counts)?;
        Ok(UserOutput { user: UserInfo { update_date: None, ..info(&record) } })
    }
}
