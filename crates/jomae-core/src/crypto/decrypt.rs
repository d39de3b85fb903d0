use jomae_api::{
    action::SecretBase64,
    actions::crypto::decrypt::{Decrypt, Output},
    error::Refusal,
};

use crate::{
    access::Authorized,
    backend::Unreadable,
    error::{Error, Fault},
    record::binding,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<Decrypt> for Kms {
    async fn handle(&self, _: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, Decrypt>) -> Result<Output, Error> {
        let (key, wanted) = (granted.key()?, granted.action());
        let number = key.version.ok_or_else(|| Fault::internal("a ciphertext without a key version"))?;
        let ready = self.ready(tx, key, number).await?;
        let binding = binding(&key.place, &key.record, &ready.version.stored.id);
        let opened = self.backend.decrypt(&ready.handle, &binding, &wanted.context, &wanted.ciphertext).wait().await?;
        let plaintext = opened.map_err(|Unreadable| Refusal::CiphertextInvalid)?;
        Ok(Output {
            key_id: key.place.id.clone(),
            key_version_id: ready.version.stored.id.clone(),
            plaintext: SecretBase64(plaintext),
        })
    }
}
