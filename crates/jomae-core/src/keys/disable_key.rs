use jomae_api::actions::{keys::disable_key::DisableKey, metadata::KeyState};

use crate::{
    prelude::*,
    record::{KeyRecord, path},
};

impl Handle<DisableKey> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DisableKey>) -> Result<Empty> {
        let key = granted.key()?;
        if key.record.state != KeyState::Disabled {
            tx.put(path::key(&key.place), &KeyRecord { state: KeyState::Disabled, ..(*key.record).clone() })?;
        }
        Ok(Empty {})
    }
}
