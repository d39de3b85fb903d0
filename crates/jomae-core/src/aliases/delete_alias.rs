use jomae_api::actions::aliases::delete_alias::DeleteAlias;

use crate::{
    prelude::*,
    quota::Counted,
    record::{AliasRecord, Marker, path},
};

impl Handle<DeleteAlias> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteAlias>) -> Result<Empty> {
        let alias = granted.alias()?;
        let key = granted.key()?;
        if alias.record.is_none() {
            return Err(Refusal::AliasNotFound.into());
        }
        tx.delete::<AliasRecord>(path::alias(call.caller.account(), &call.region, &alias.name));
        tx.delete::<Marker>(path::alias_of(&key.place, &alias.name));
        self.quotas.give_back(tx, call.caller.account(), Counted::Alias, 1)?;
        Ok(Empty {})
    }
}
