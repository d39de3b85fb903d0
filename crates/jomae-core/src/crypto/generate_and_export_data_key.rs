use jomae_api::actions::crypto::generate_and_export_data_key::{GenerateAndExportDataKey, Output};

use super::export;
use crate::prelude::*;

impl Handle<GenerateAndExportDataKey> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GenerateAndExportDataKey>,
    ) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        let data_key = SecretBytes::random(wanted.length_bytes as usize);
        let exported = export(&data_key, &wanted.to)?;
        let (version, blob) = self.encrypt_data_key(tx, key, &wanted.context, &data_key).await?;
        Ok(Output {
            key_id: key.place.id.clone(),
            key_version_id: version,
            ciphertext_blob: Base64(blob),
            exported_data_key: Base64(exported),
        })
    }
}
