use jomae_api::{
    actions::crypto::encrypt::{Encrypt, Output},
    param::Plaintext,
};

use crate::prelude::*;

impl Handle<Encrypt> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, Encrypt>) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        let Plaintext { content, bytes } = &wanted.plaintext;
        let (version, blob) = self.encrypt_under(tx, key, &wanted.context, *content, bytes).await?;
        Ok(Output { key_id: key.place.id.clone(), key_version_id: version, ciphertext_blob: Base64(blob) })
    }
}
