//! Encrypting and decrypting. One file an action.

mod decrypt;
mod encrypt;
mod generate_data_key;
mod generate_data_key_without_plaintext;

use std::sync::Arc;

use jomae_api::{names::KeyVersionId, param::EncryptionContext};
use jomae_crypto::secret::SecretBytes;

use crate::{
    access::FoundKey,
    backend::KeyHandle,
    error::{Error, Fault},
    record::{VersionRecord, binding, path},
    run::Kms,
    tx::Tx,
};

/// A key version, ready for use.
struct Ready {
    version: Arc<VersionRecord>,
    handle: KeyHandle,
}

impl Kms {
    /// Version `number` of a key with its material unwrapped; unwrapping is done once while the record stays in memory.
    async fn ready(&self, tx: &mut Tx<'_>, key: &FoundKey, number: u32) -> Result<Ready, Error> {
        let at = path::version(&key.place, number);
        let version: Arc<VersionRecord> =
            tx.get(&at)?.ok_or_else(|| Fault::internal(format!("record {at} is missing")))?;
        if let Some(handle) = version.handle.get() {
            let handle = handle.clone();
            return Ok(Ready { version, handle });
        }
        let blob = crate::backend::KeyBlob(version.stored.blob.0.clone());
        let handle = self.backend.load(&blob, &binding(&key.place, &key.record, &version.stored.id)).wait().await?;
        let handle = version.handle.get_or_init(|| handle).clone();
        Ok(Ready { version, handle })
    }

    /// Encrypts under the primary version.
    async fn encrypt_under(
        &self,
        tx: &mut Tx<'_>,
        key: &FoundKey,
        context: &EncryptionContext,
        plaintext: &SecretBytes,
    ) -> Result<(KeyVersionId, Vec<u8>), Error> {
        let primary = key
            .record
            .primary
            .as_ref()
            .ok_or_else(|| Fault::internal(format!("key {} has no version", key.place.id)))?;
        let ready = self.ready(tx, key, primary.number).await?;
        let binding = binding(&key.place, &key.record, &ready.version.stored.id);
        let blob = self.backend.encrypt(&ready.handle, &binding, context, plaintext).wait().await?;
        Ok((ready.version.stored.id.clone(), blob))
    }
}
