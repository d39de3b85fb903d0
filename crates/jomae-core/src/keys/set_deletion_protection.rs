use jomae_api::actions::keys::set_deletion_protection::SetDeletionProtection;

use crate::{
    prelude::*,
    record::{KeyRecord, path},
};

impl Handle<SetDeletionProtection> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, SetDeletionProtection>,
    ) -> Result<Empty> {
        let key = granted.key()?;
        let wanted = granted.action();
        let deletion_protection_description = if wanted.enable { wanted.description.clone() } else { String::new() };
        tx.put(
            path::key(&key.place),
            &KeyRecord { deletion_protection: wanted.enable, deletion_protection_description, ..(*key.record).clone() },
        )?;
        Ok(Empty {})
    }
}
