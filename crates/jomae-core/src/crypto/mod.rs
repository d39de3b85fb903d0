//! Encrypting, decrypting, signing, authenticating. One file an action.

mod asymmetric_decrypt;
mod asymmetric_encrypt;
mod asymmetric_sign;
mod asymmetric_verify;
mod decrypt;
mod encrypt;
mod export_data_key;
mod generate_and_export_data_key;
mod generate_data_key;
mod generate_data_key_without_plaintext;
mod generate_mac;
mod get_public_key;
mod re_encrypt;
mod verify_mac;

use std::sync::Arc;

use jomae_api::{
    actions::params::ExportTo,
    names::KeyVersionId,
    param::{EncryptionContext, Plaintext},
};
use jomae_crypto::{
    asym,
    envelope::{self, Content},
    secret::SecretBytes,
};

use crate::{
    access::FoundKey,
    backend::{KeyBlob, KeyHandle, Unreadable},
    prelude::*,
    record::{VersionIndex, VersionRecord, binding, path},
};

/// A key version, ready for use.
pub(crate) struct Ready {
    pub(crate) version: Arc<VersionRecord>,
    pub(crate) handle: KeyHandle,
}

/// A plaintext, and the version that opened it.
struct Opened {
    version: KeyVersionId,
    plaintext: Plaintext,
}

impl Kms {
    /// Version `number` of a key.
    pub(crate) fn version(tx: &mut Tx<'_>, key: &FoundKey, number: u32) -> Result<Arc<VersionRecord>> {
        let at = path::version(&key.place, number);
        tx.get(&at)?.ok_or_else(|| Fault::internal(format!("record {at} is missing")).into())
    }

    /// The version of a key that a caller names.
    pub(crate) fn named_version(tx: &mut Tx<'_>, key: &FoundKey, id: &KeyVersionId) -> Result<Arc<VersionRecord>> {
        match tx.get::<VersionIndex>(&path::version_index(&key.place.region, id))? {
            Some(index) if index.key == key.place => Self::version(tx, key, index.number),
            _ => Err(Refusal::KeyVersionNotFound.into()),
        }
    }

    /// Unwraps the material of a version; it is done once while the record stays in memory.
    pub(crate) async fn ready(&self, key: &FoundKey, version: Arc<VersionRecord>) -> Result<Ready> {
        key.uses(&version)?;
        let handle = match version.handle.get() {
            Some(handle) => handle.clone(),
            // Boxed: it is seldom needed, and would make every call larger.
            None => Box::pin(self.load(key, &version)).await?,
        };
        Ok(Ready { version, handle })
    }

    async fn load(&self, key: &FoundKey, version: &VersionRecord) -> Result<KeyHandle> {
        let blob = version.stored.blob.clone();
        let blob = blob.ok_or_else(|| Fault::internal(format!("version {} has no material", version.stored.id)))?;
        let binding = binding(&key.place, &key.record, &version.stored.id);
        let handle =
            self.backends.of(key.record.protection)?.load(key.record.spec, &KeyBlob(blob.0), &binding).wait().await?;
        Ok(version.handle.get_or_init(|| handle).clone())
    }

    /// The version that encrypts, or computes MACs.
    async fn primary(&self, tx: &mut Tx<'_>, key: &FoundKey) -> Result<Ready> {
        let primary = key.record.primary.as_ref();
        let primary = primary.ok_or_else(|| Fault::internal(format!("key {} has no version", key.place.id)))?;
        let version = key.record.primary_in_memory.or_find(|| Self::version(tx, key, primary.number))?.clone();
        self.ready(key, version).await
    }

    /// Encrypts a data key under the primary version.
    async fn encrypt_data_key(
        &self,
        tx: &mut Tx<'_>,
        key: &FoundKey,
        context: &EncryptionContext,
        data_key: &SecretBytes,
    ) -> Result<(KeyVersionId, Vec<u8>)> {
        self.encrypt_under(tx, key, context, Content::Bytes, data_key).await
    }

    /// Encrypts under the primary version.
    async fn encrypt_under(
        &self,
        tx: &mut Tx<'_>,
        key: &FoundKey,
        context: &EncryptionContext,
        kind: Content,
        plaintext: &SecretBytes,
    ) -> Result<(KeyVersionId, Vec<u8>)> {
        expect_kind(key, KeyKind::Symmetric)?;
        let ready = self.primary(tx, key).await?;
        let binding = binding(&key.place, &key.record, &ready.version.stored.id);
        let made = self.backends.of(key.record.protection)?.encrypt(
            key.record.spec,
            &ready.handle,
            &binding,
            context,
            kind,
            plaintext,
        );
        let blob = made.wait().await?;
        Ok((ready.version.stored.id.clone(), blob))
    }

    /// Decrypts a ciphertext blob that names a version of the key.
    async fn decrypt_under(
        &self,
        tx: &mut Tx<'_>,
        key: &FoundKey,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Result<Opened> {
        if key.record.spec.row().kind != KeyKind::Symmetric {
            return Err(Refusal::CiphertextInvalid.into());
        }
        let number = key.version.ok_or_else(|| Fault::internal("a ciphertext without a key version"))?;
        let version = Self::version(tx, key, number)?;
        let ready = self.ready(key, version).await?;
        let binding = binding(&key.place, &key.record, &ready.version.stored.id);
        let opened = self
            .backends
            .of(key.record.protection)?
            .decrypt(key.record.spec, &ready.handle, &binding, context, ciphertext)
            .wait()
            .await?;
        let bytes = opened.map_err(|Unreadable| Refusal::CiphertextInvalid)?;
        let kind = envelope::content(ciphertext).ok_or_else(|| Fault::internal("a blob of no format opened"))?;
        Ok(Opened { version: ready.version.stored.id.clone(), plaintext: Plaintext { content: kind, bytes } })
    }

    /// Decrypts what was encrypted under the public key of a version.
    async fn private_decrypt_under(
        &self,
        tx: &mut Tx<'_>,
        key: &FoundKey,
        version: &KeyVersionId,
        algorithm: Algorithm,
        ciphertext: &[u8],
        caller: &AccountId,
    ) -> Result<Opened> {
        expect_kind(key, KeyKind::Asymmetric)?;
        expect_algorithm(key, algorithm, ENCRYPTION)?;
        let version = Self::named_version(tx, key, version)?;
        let ready = self.ready(key, version).await?;
        let opened = self
            .backends
            .of(key.record.protection)?
            .private_decrypt(&ready.handle, algorithm, ciphertext, caller)
            .wait()
            .await?;
        let bytes = opened.map_err(|Unreadable| Refusal::CiphertextInvalid)?;
        let plaintext = Plaintext { content: Content::Bytes, bytes };
        Ok(Opened { version: ready.version.stored.id.clone(), plaintext })
    }
}

/// Refuses a key of another kind than the action is for.
fn expect_kind(key: &FoundKey, kind: KeyKind) -> Result<(), Refusal> {
    if key.record.spec.row().kind == kind { Ok(()) } else { Err(Refusal::OperationUnsupported) }
}

/// Refuses an algorithm that the key does not take, or that is not for what the action does.
fn expect_algorithm(key: &FoundKey, algorithm: Algorithm, purposes: &[Purpose]) -> Result<(), Refusal> {
    let fits = purposes.contains(&algorithm.purpose()) && key.record.spec.row().takes(key.record.usage, algorithm);
    if fits { Ok(()) } else { Err(Refusal::ParameterInvalid("Algorithm")) }
}

/// What keys for encryption do.
const ENCRYPTION: &[Purpose] = &[Purpose::Encrypt, Purpose::Decapsulate];

/// Refuses a digest of another length than the algorithm takes.
fn expect_digest(algorithm: Algorithm, digest: &[u8]) -> Result<(), Refusal> {
    let fits = algorithm.digest_bytes().is_none_or(|bytes| digest.len() == bytes);
    if fits { Ok(()) } else { Err(Refusal::ParameterInvalid("Digest")) }
}

/// The public key of an asymmetric version.
fn public_key(version: &VersionRecord) -> Result<&[u8]> {
    let public = version.stored.public.as_ref();
    let missing = || Fault::internal(format!("version {} has no public key", version.stored.id));
    Ok(&public.ok_or_else(missing)?.0)
}

/// Encrypts a data key under the caller's public key.
fn export(data_key: &SecretBytes, to: &ExportTo) -> Result<Vec<u8>> {
    let (Some(spec), Some(algorithm)) = (to.spec.asymmetric(), to.algorithm.encryption()) else {
        return Err(Refusal::ParameterInvalid("WrappingAlgorithm").into());
    };
    if asym::spec_of_spki(&to.public_key) != Some(spec) {
        return Err(Refusal::ParameterInvalid("PublicKeyBlob").into());
    }
    asym::encrypt(spec, algorithm, &to.public_key, data_key.expose()).map_err(|refused| match refused {
        asym::EncryptRefused::TooLong => Refusal::ParameterInvalid("WrappingAlgorithm").into(),
        _ => Refusal::ParameterInvalid("PublicKeyBlob").into(),
    })
}
