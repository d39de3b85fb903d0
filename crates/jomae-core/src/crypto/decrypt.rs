use jomae_api::actions::crypto::decrypt::{Decrypt, Output};

use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<Decrypt> for Kms {
    async fn handle(&self, _: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, Decrypt>) -> Result<Output, Error> {
        let (key, wanted) = (granted.key()?, granted.action());
        let opened = self.decrypt_under(tx, key, &wanted.context, &wanted.ciphertext.blob).await?;
        Ok(Output { key_id: key.place.id.clone(), key_version_id: opened.version, plaintext: opened.plaintext })
    }
}
