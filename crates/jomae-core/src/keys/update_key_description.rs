use jomae_api::{action::Empty, actions::keys::update_key_description::UpdateKeyDescription};

use crate::{
    access::Authorized,
    error::Error,
    record::{KeyRecord, path},
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<UpdateKeyDescription> for Kms {
    async fn handle(
        &self,
        _: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateKeyDescription>,
    ) -> Result<Empty, Error> {
        let key = granted.key()?;
        let description = granted.action().description.clone();
        tx.put(path::key(&key.place), &KeyRecord { description, ..(*key.record).clone() })?;
        Ok(Empty {})
    }
}
