use jomae_api::{
    action::{Base64, SecretBase64},
    actions::crypto::generate_data_key::{GenerateDataKey, Output},
};
use jomae_crypto::secret::SecretBytes;

use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<GenerateDataKey> for Kms {
    async fn handle(
        &self,
        _: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GenerateDataKey>,
    ) -> Result<Output, Error> {
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
