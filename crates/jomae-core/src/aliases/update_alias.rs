use jomae_api::actions::aliases::update_alias::UpdateAlias;
use jomae_api::names::KeyPlace;

use crate::{
    prelude::*,
    record::{AliasRecord, Marker, path},
};

impl Handle<UpdateAlias> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, UpdateAlias>) -> Result<Empty> {
        let alias = granted.alias()?;
        let key = granted.key()?;
        let Some(old) = &alias.record else { return Err(Refusal::AliasNotFound.into()) };
        if old.key == key.place.id {
            return Ok(Empty {});
        }
        let record = AliasRecord { key: key.place.id.clone(), created: old.created };
        tx.put(path::alias(call.caller.account(), &call.region, &alias.name), &record)?;
        tx.delete::<Marker>(path::alias_of(&KeyPlace { id: old.key.clone(), ..key.place.clone() }, &alias.name));
        tx.put(path::alias_of(&key.place, &alias.name), &Marker {})?;
        Ok(Empty {})
    }
}
