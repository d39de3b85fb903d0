use jomae_api::actions::keys::update_key_description::UpdateKeyDescription;

use crate::{
    prelude::*,
    record::{KeyRecord, path},
};

impl Handle<UpdateKeyDescription> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateKeyDescription>,
    ) -> Result<Empty> {
        let key = granted.key()?;
        let description = granted.action().description.clone();
        tx.put(path::key(&key.place), &KeyRecord { description, ..(*key.record).clone() })?;
        Ok(Empty {})
    }
}
