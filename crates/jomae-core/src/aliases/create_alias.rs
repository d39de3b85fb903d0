use jomae_api::actions::aliases::create_alias::CreateAlias;

use crate::{
    prelude::*,
    quota::Counted,
    record::{AliasRecord, Marker, path},
};

impl Handle<CreateAlias> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, CreateAlias>) -> Result<Empty> {
        let alias = granted.alias()?;
        let key = granted.key()?;
        if alias.record.is_some() {
            return Err(Refusal::AliasExists.into());
        }
        let record = AliasRecord { key: key.place.id.clone(), created: call.now.0 };
        tx.put(path::alias(&key.place.account, &key.place.region, &alias.name), &record)?;
        tx.put(path::alias_of(&key.place, &alias.name), &Marker {})?;
        self.quotas.take(tx, &key.place.account, Counted::Alias)?;
        Ok(Empty {})
    }
}
