use jomae_api::{
    action::SecretBase64,
    actions::crypto::asymmetric_decrypt::{AsymmetricDecrypt, Output},
};

use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<AsymmetricDecrypt> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AsymmetricDecrypt>,
    ) -> Result<Output, Error> {
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
