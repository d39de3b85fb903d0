use jomae_api::actions::versions::describe_key_version::{DescribeKeyVersion, Output};

use super::row;
use crate::{prelude::*, record::path, usage::cell::UsageRecord};

impl Handle<DescribeKeyVersion> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DescribeKeyVersion>,
    ) -> Result<Output> {
        let key = granted.key()?;
        let version = Self::named_version(tx, key, &granted.action().version)?;
        let usage = tx.get::<UsageRecord>(&path::version_usage(&key.place, version.stored.number))?;
        Ok(Output { key_version: row(&key.place, &version), usage_statistics: usage.map(|usage| usage.statistics()) })
    }
}
