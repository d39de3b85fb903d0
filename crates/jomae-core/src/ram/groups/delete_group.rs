use jomae_api::actions::ram::groups::delete_group::DeleteGroup;

use crate::{
    prelude::*,
    ram::{entities, find},
};

impl Handle<DeleteGroup> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteGroup>) -> Result<Empty> {
        let account = call.caller.account();
        let record = find::group(tx, account, &granted.action().group_name)?;
        if record.users > 0 {
            return Err(Refusal::GroupHasUsers.into());
        }
        if !record.policies.is_empty() {
            return Err(Refusal::GroupHasPolicies.into());
        }
        entities::remove(tx, account, &*record)?;
        Ok(Empty {})
    }
}
