//! Keys in this process: material wrapped under a domain key in the store, unwrapped in memory while it is in use.

use std::sync::Arc;

use jomae_api::{actions::metadata::KeySpec, param::EncryptionContext};
use jomae_crypto::{
    envelope::{self, Binding},
    secret::SecretBytes,
    wrap,
};

use super::{KeyBackend, KeyBlob, KeyHandle, Unreadable};
use crate::{error::Fault, keyring::Keyring, wait::Work};

/// The software backend.
pub struct SoftwareBackend {
    keyring: Arc<Keyring>,
}

impl SoftwareBackend {
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }
}

/// Bytes of material that a key of this spec has.
const fn material_bytes(spec: KeySpec) -> usize {
    match spec {
        KeySpec::AliyunAes256 => 32,
    }
}

impl KeyBackend for SoftwareBackend {
    fn supports(&self, spec: KeySpec) -> bool {
        match spec {
            KeySpec::AliyunAes256 => true,
        }
    }

    fn generate(&self, spec: KeySpec, binding: &Binding<'_>) -> Work<'_, Result<KeyBlob, Fault>> {
        let material = SecretBytes::random(material_bytes(spec));
        Work::Done(self.keyring.seal_with(|domain| wrap::wrap_cmk_material(domain, binding, &material)).map(KeyBlob))
    }

    fn load(&self, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<KeyHandle, Fault>> {
        Work::Done(
            self.keyring
                .open_with(&blob.0, |domain, wrapped| wrap::unwrap_cmk_material(domain, binding, wrapped))
                .map(KeyHandle::new)
                .map_err(|error| Fault::internal(format!("material of key version {}: {error}", binding.version_id))),
        )
    }

    fn encrypt(
        &self,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        plaintext: &SecretBytes,
    ) -> Work<'_, Result<Vec<u8>, Fault>> {
        let Some(material) = key.get::<SecretBytes>() else { return Work::Done(Err(foreign_handle())) };
        let context = envelope::canonical_context(context.pairs());
        Work::Done(
            envelope::encrypt(envelope::Cipher::Aes256, material, binding, &context, plaintext.expose())
                .map_err(|error| Fault::internal(format!("encrypt under {}: {error}", binding.version_id))),
        )
    }

    fn decrypt(
        &self,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Fault>> {
        let Some(material) = key.get::<SecretBytes>() else { return Work::Done(Err(foreign_handle())) };
        let context = envelope::canonical_context(context.pairs());
        Work::Done(Ok(envelope::decrypt(material, binding, &context, ciphertext).map_err(|_| Unreadable)))
    }
}

fn foreign_handle() -> Fault {
    Fault::internal("a key handle of another backend")
}
