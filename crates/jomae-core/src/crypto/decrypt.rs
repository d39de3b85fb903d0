use jomae_api::actions::crypto::decrypt::{Decrypt, Output};

use crate::prelude::*;

impl Handle<Decrypt> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, Decrypt>) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        let opened = self.decrypt_under(tx, key, &wanted.context, &wanted.ciphertext.blob).await?;
        Ok(Output { key_id: key.place.id.clone(), key_version_id: opened.version, plaintext: opened.plaintext })
    }
}
