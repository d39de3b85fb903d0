use jomae_api::actions::keys::describe_key::{DescribeKey, Output};

use super::metadata;
use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DescribeKey> for Kms {
    async fn handle(&self, _: &Call, _: &mut Tx<'_>, granted: &Authorized<'_, DescribeKey>) -> Result<Output, Error> {
        let key = granted.key()?;
        let mut key_metadata = metadata(&key.place, &key.record);
        key_metadata.deletion_protection = Some(if key.record.deletion_protection { "Enabled" } else { "Disabled" });
        key_metadata.deletion_protection_description = Some(key.record.deletion_protection_description.clone());
        Ok(Output { key_metadata })
    }
}
