use jomae_api::actions::crypto::export_data_key::{ExportDataKey, Output};

use super::export;
use crate::prelude::*;

impl Handle<ExportDataKey> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ExportDataKey>) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        let opened = self.decrypt_under(tx, key, &wanted.context, &wanted.ciphertext.blob).await?;
        let exported = export(&opened.plaintext.bytes, &wanted.to)?;
        Ok(Output { key_id: key.place.id.clone(), key_version_id: opened.version, exported_data_key: Base64(exported) })
    }
}
