use jomae_api::actions::crypto::asymmetric_decrypt::{AsymmetricDecrypt, Output};

use crate::prelude::*;

impl Handle<AsymmetricDecrypt> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AsymmetricDecrypt>,
    ) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        let opened = self
            .private_decrypt_under(
                tx,
                key,
                &wanted.version,
                wanted.algorithm,
                &wanted.ciphertext,
                call.caller.account(),
            )
            .await?;
        Ok(Output {
            key_id: key.place.id.clone(),
            key_version_id: opened.version,
            plaintext: SecretBase64(opened.plaintext.bytes),
        })
    }
}
