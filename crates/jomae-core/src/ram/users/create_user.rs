use jomae_api::actions::ram::users::{UserInfo, UserOutput, create_user::CreateUser};

use super::info;
use crate::{
    identity::new_entity_id,
    prelude::*,
    ram::{entities, record::UserRecord},
};

impl Handle<CreateUser> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateUser>,
    ) -> Result<UserOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        entities::expect_free::<UserRecord>(tx, account, &action.user_name)?;
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
        entities::add(tx, account, self.quotas.quotas().users, &record)?;
        Ok(UserOutput { user: UserInfo { update_date: None, ..info(&record) } })
    }
}
