//! Makes and uses keys. Material never comes out.

mod levels;
pub mod software;

use std::{any::Any, fmt, sync::Arc};

use jomae_api::{
    names::AccountId,
    param::EncryptionContext,
    spec::{Algorithm, KeySpec, KeyUsage},
};
use jomae_crypto::{
    envelope::{Binding, Content},
    secret::SecretBytes,
};

use crate::{
    error::{Error, Fault},
    wait::Work,
};

pub use levels::Levels;

/// Material in the form in which it may be stored, bound to its [`Binding`]: wrapped under a domain key; or, where it is in
/// a token, what it is called there, sealed under one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBlob(pub Vec<u8>);

/// New material, and its public half (DER SubjectPublicKeyInfo) if it has one.
#[derive(Debug)]
pub struct NewKey {
    pub blob: KeyBlob,
    pub public: Option<Vec<u8>>,
    /// What was made outside the store, to be taken by the transaction that writes the record.
    pub unclaimed: Option<Unclaimed>,
}

/// Something made outside the store for a record that is not written yet. Dropped, it is destroyed.
pub struct Unclaimed(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Unclaimed {
    /// With what destroys it.
    pub fn new(destroy: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(destroy)))
    }

    /// From here on it is destroyed only if the result is told to: the record may be there.
    pub(crate) fn hold(mut self) -> Held {
        Held(self.0.take())
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(destroy) = self.0.take() {
            destroy();
        }
    }
}

impl fmt::Debug for Unclaimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unclaimed")
    }
}

/// Something whose record may have been written. Dropped, it stays.
pub(crate) struct Held(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Held {
    /// The record was certainly not written.
    pub(crate) fn destroy(self) {
        if let Some(destroy) = self.0 {
            destroy();
        }
    }
}

/// Material made ready for use by the backend that made it. Opaque to everyone else, erased when dropped.
#[derive(Clone)]
pub struct KeyHandle(Arc<dyn Any + Send + Sync>);

impl KeyHandle {
    pub fn new(inner: impl Any + Send + Sync) -> Self {
        Self(Arc::new(inner))
    }

    /// The backend's own view of it.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0).downcast().ok()
    }

    /// As [`KeyHandle::get`], without sharing it.
    pub fn peek<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// The ciphertext does not open: damage, another context or another key, which nobody can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The material is not that of a key of this spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMaterial;

/// Where keys live and are used. What a backend supports is asked before it is called.
pub trait KeyBackend: Send + Sync {
    /// Whether keys of this spec can be made, and used for all that the usage allows; with `imported`, of material that
    /// was made elsewhere.
    fn supports(&self, spec: KeySpec, usage: KeyUsage, imported: bool) -> Result<bool, Fault>;

    /// New material for the key version that the binding names. Where work has to wait its turn, here and below, it waits
    /// as that of `account`; refused if that has too much waiting.
    fn generate(&self, spec: KeySpec, binding: &Binding<'_>, account: &AccountId) -> Work<'_, Result<NewKey, Error>>;

    /// Takes material that was made elsewhere: the bytes of a symmetric key, or a private key in DER.
    fn import(
        &self,
        spec: KeySpec,
        material: &SecretBytes,
        binding: &Binding<'_>,
    ) -> Work<'_, Result<Result<NewKey, BadMaterial>, Fault>>;

    /// Destroys material that is elsewhere than in the blob: when this is done, it is gone there. What is gone already is
    /// destroyed.
    fn destroy(&self, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<(), Fault>>;

    /// Makes stored material ready. A blob under another binding, or a damaged one, is a fault.
    fn load(&self, spec: KeySpec, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<KeyHandle, Fault>>;

    /// A fresh ciphertext blob, under a symmetric key. What the plaintext is stands in the blob
    /// ([`jomae_crypto::envelope::content`]), authenticated.
    fn encrypt(
        &self,
        spec: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        kind: Content,
        plaintext: &SecretBytes,
    ) -> Work<'_, Result<Vec<u8>, Fault>>;

    /// The plaintext of a ciphertext blob.
    fn decrypt(
        &self,
        spec: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Fault>>;

    /// The plaintext of a public-key ciphertext, or the secret of an encapsulation.
    fn private_decrypt(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        ciphertext: &[u8],
        account: &AccountId,
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Error>>;

    /// A signature over a digest of the algorithm's length, or over a message.
    fn sign(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        digest: &[u8],
        account: &AccountId,
    ) -> Work<'_, Result<Vec<u8>, Error>>;

    /// A MAC over a message.
    fn mac(&self, key: &KeyHandle, algorithm: Algorithm, message: &[u8]) -> Work<'_, Result<Vec<u8>, Fault>>;
}

/// A binding that outlives its record, for work that is waited for.
pub struct OwnedBinding([String; 6]);

impl OwnedBinding {
    /// A copy of it.
    pub fn of(binding: &Binding<'_>) -> Self {
        let Binding { account, region, key_id, version_id, spec, usage } = *binding;
        Self([account, region, key_id, version_id, spec, usage].map(str::to_owned))
    }

    /// As it was.
    pub fn borrow(&self) -> Binding<'_> {
        let [account, region, key_id, version_id, spec, usage] = &self.0;
        Binding { account, region, key_id, version_id, spec, usage }
    }
}
