use jomae_api::actions::ram::groups::delete_group::DeleteGroup;

use crate::{
    prelude::*,
    ram::{
        counts, find,
        record::path::{self, Entity},
    },
};

impl Handle<DeleteGroup> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteGroup>) -> Result<Empty> {
        let account = call.caller.account();
        let record = find::group(tx, account, &granted.action().group_name)?;
        if record.users > 0 {
            return Err(Refusal::GroupHasUsers.into());
        }
        if !record.policies.is_empty() {
            return Err(Refusal::GroupHasPolicies.into());
        }
        let mut counts = counts::of(tx, account)?;
        counts.groups = counts.groups.saturating_sub(1);
        counts::put(tx, account, &counts)?;
        tx.delete(path::name(account, Entity::Group, &record.name));
        tx.delete(path::group(account, &record.id));
        Ok(Empty {})
    }
}
