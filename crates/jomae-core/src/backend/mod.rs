//! Makes and uses keys. Material never comes out.

pub mod software;

use std::{any::Any, sync::Arc};

use jomae_api::{
    names::AccountId,
    param::EncryptionContext,
    spec::{Algorithm, KeySpec},
};
use jomae_crypto::{
    envelope::{Binding, Content},
    secret::SecretBytes,
};

use crate::{
    error::{Error, Fault},
    wait::Work,
};

/// Material in the form in which it may be stored: wrapped under a domain key, bound to its [`Binding`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBlob(pub Vec<u8>);

/// New material, and its public half (DER SubjectPublicKeyInfo) if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    pub blob: KeyBlob,
    pub public: Option<Vec<u8>>,
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
    /// Whether keys of this spec can be made and used.
    fn supports(&self, spec: KeySpec) -> bool;

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
