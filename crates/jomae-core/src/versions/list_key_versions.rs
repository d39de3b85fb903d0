use jomae_api::actions::versions::list_key_versions::{ListKeyVersions, Output};

use super::row;
use crate::prelude::*;

impl Handle<ListKeyVersions> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListKeyVersions>) -> Result<Output> {
        let (key, page) = (granted.key()?, granted.action().page);
        // Versions are numbered from 1 without gaps, so a page is a range of numbers.
        let total = key.record.versions;
        let offset = u32::try_from(page.offset()).unwrap_or(u32::MAX);
        let newest = total.saturating_sub(offset);
        let oldest = newest.saturating_sub(page.size);
        let mut key_version = Vec::new();
        for number in (oldest..newest).rev() {
            let version = Self::version(tx, key, number + 1)?;
            key_version.push(row(&key.place, &version));
        }
        Ok(Output {
            key_versions: List(key_version),
            total_count: u64::from(total),
            page_number: page.number,
            page_size: page.size,
        })
    }
}
