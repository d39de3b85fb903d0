use jomae_api::actions::{
    keys::describe_key::{DescribeKey, Output},
    metadata::OnOrOff,
};

use super::metadata;
use crate::{prelude::*, record::path, usage::cell::UsageRecord};

impl Handle<DescribeKey> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DescribeKey>) -> Result<Output> {
        let key = granted.key()?;
        let mut key_metadata = metadata(&key.place, &key.record);
        key_metadata.deletion_protection = Some(OnOrOff::of(key.record.deletion_protection));
        key_metadata.deletion_protection_description = Some(key.record.deletion_protection_description.clone());
        let usage = tx.get::<UsageRecord>(&path::key_usage(&key.place))?;
        Ok(Output { key_metadata, usage_statistics: usage.map(|usage| usage.statistics()) })
    }
}
