use jomae_api::{action::Empty, actions::ram::groups::delete_group::DeleteGroup, error::Refusal};

use crate::{
    access::Authorized,
    error::Error,
    ram::{
        counts, find,
        record::path::{self, Entity},
    },
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DeleteGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeleteGroup>,
    ) -> Result<Empty, Error> {
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
