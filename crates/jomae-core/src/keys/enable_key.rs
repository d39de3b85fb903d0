use jomae_api::actions::{keys::enable_key::EnableKey, metadata::KeyState};

use super::plan_rotation;
use crate::{
    prelude::*,
    record::{KeyRecord, path},
};

impl Handle<EnableKey> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, EnableKey>) -> Result<Empty> {
        let key = granted.key()?;
        if key.record.state != KeyState::Enabled {
            let record = KeyRecord { state: KeyState::Enabled, ..(*key.record).clone() };
            tx.put(path::key(&key.place), &record)?;
            plan_rotation(tx, &key.place, &record)?;
        }
        Ok(Empty {})
    }
}
