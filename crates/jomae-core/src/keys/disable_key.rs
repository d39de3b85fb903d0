use jomae_api::{
    action::Empty,
    actions::{keys::disable_key::DisableKey, metadata::KeyState},
};

use crate::{
    access::Authorized,
    error::Error,
    record::{KeyRecord, path},
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DisableKey> for Kms {
    async fn handle(&self, _: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, DisableKey>) -> Result<Empty, Error> {
        let key = granted.key()?;
        if key.record.state != KeyState::Disabled {
            tx.put(path::key(&key.place), &KeyRecord { state: KeyState::Disabled, ..(*key.record).clone() })?;
        }
        Ok(Empty {})
    }
}
