use jomae_api::{action::Empty, actions::keys::set_deletion_protection::SetDeletionProtection};

use crate::{
    access::Authorized,
    error::Error,
    record::{KeyRecord, path},
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<SetDeletionProtection> for Kms {
    async fn handle(
        &self,
        _: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, SetDeletionProtection>,
    ) -> Result<Empty, Error> {
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
