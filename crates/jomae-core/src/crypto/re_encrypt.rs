use jomae_api::{
    actions::crypto::re_encrypt::{Output, ReEncrypt, Source},
    param::Plaintext,
};

use crate::prelude::*;

impl Handle<ReEncrypt> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ReEncrypt>) -> Result<Output> {
        let wanted = granted.action();
        let mut keys = granted.keys();
        let (Some(from), Some(to)) = (keys.next(), keys.next()) else {
            return Err(Fault::internal("ReEncrypt declares two keys").into());
        };
        let opened = match &wanted.source {
            Source::Symmetric { context, .. } => self.decrypt_under(tx, from, context, &wanted.ciphertext).await?,
            Source::PublicKey { version, algorithm, .. } => {
                self.private_decrypt_under(tx, from, version, *algorithm, &wanted.ciphertext, call.caller.account())
                    .await?
            }
        };
        let Plaintext { content, bytes } = opened.plaintext;
        let (_, blob) = self.encrypt_under(tx, to, &wanted.destination_context, content, &bytes).await?;
        Ok(Output { ciphertext_blob: Base64(blob), key_id: from.place.id.clone(), key_version_id: opened.version })
    }
}
