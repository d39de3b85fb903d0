use jomae_api::actions::crypto::generate_data_key::{GenerateDataKey, Output};

use crate::prelude::*;

impl Handle<GenerateDataKey> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, GenerateDataKey>) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        let data_key = SecretBytes::random(wanted.length_bytes as usize);
        let (version, blob) = self.encrypt_data_key(tx, key, &wanted.context, &data_key).await?;
        Ok(Output {
            key_id: key.place.id.clone(),
            key_version_id: version,
            plaintext: SecretBase64(data_key),
            ciphertext_blob: Base64(blob),
        })
    }
}
