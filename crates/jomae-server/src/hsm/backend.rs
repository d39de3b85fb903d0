//! Keys that are made in a token and never leave it, behind the same trait as those in memory.
//!
//! What is stored of such a key is what it is called in the token, sealed under a domain key and bound to the key version: a
//! blob that was moved, or put back, does not open. The object in the token has the label
//! `jomae:<account>:<key>:<version>`.

use std::sync::Arc;

use jomae_api::{
    names::AccountId,
    param::EncryptionContext,
    spec::{Algorithm, KeyKind, KeySpec, KeyUsage},
};
use jomae_core::{
    backend::{BadMaterial, KeyBackend, KeyBlob, KeyHandle, NewKey, OwnedBinding, Unclaimed, Unreadable},
    error::{Error, Fault},
    keyring::Keyring,
    wait::Work,
};
use jomae_crypto::{
    asym::PrivateKey,
    envelope::{self, Binding, Content, token},
    rng,
    secret::{Key256, SecretBytes},
    wrap,
};
use jomae_hsm::{
    Algorithm as TokenAlgorithm, CallError, Hsm, KeyRef, Kind, LABEL_PREFIX, ObjectName, Secret, wire::Failure,
};
use serde::{Deserialize, Serialize};

/// The backend of the protection level HSM.
pub struct TokenBackend {
    hsm: Arc<Hsm>,
    keyring: Arc<Keyring>,
    nonces: token::Nonces,
}

/// What is stored of a key: where it is.
#[derive(Serialize, Deserialize)]
struct Place {
    /// Serial number of the token.
    serial: String,
    /// Label of the object.
    label: String,
    /// What it is, and its `CKA_ID`.
    key: KeyRef,
}

/// A failure of the token is no failure of the service: other keys go on, and it may work later. A key that is gone will
/// not come back by itself.
fn fault(error: CallError) -> Fault {
    match error {
        CallError::Failed(Failure::NoSuchKey) => Fault::internal(error),
        // The client has told of it, and tells when it is over.
        CallError::Down(_) | CallError::Failed(Failure::Lost(_)) => Fault::away(error),
        other => Fault::unavailable(other),
    }
}

fn unsuitable() -> Fault {
    Fault::internal("an algorithm that does not fit the key, or a handle of another backend")
}

/// What the token is asked for; none for what none is asked for: SM2 and SM4, with which tokens do as they like, and
/// post-quantum keys.
fn kind(spec: KeySpec, usage: KeyUsage) -> Option<Kind> {
    match spec.row().kind {
        KeyKind::Symmetric => Kind::of_cipher(spec.cipher()?),
        KeyKind::Asymmetric => Kind::of_pair(spec.asymmetric()?, usage == KeyUsage::SignVerify),
        KeyKind::Mac => Kind::of_mac(spec.row().algorithms.first()?.mac()?),
    }
}

fn key_of(handle: &KeyHandle) -> Result<KeyRef, Fault> {
    handle.peek::<KeyRef>().copied().ok_or_else(unsuitable)
}

impl TokenBackend {
    pub fn new(hsm: Arc<Hsm>, keyring: Arc<Keyring>) -> Self {
        Self { hsm, keyring, nonces: token::Nonces::new() }
    }

    /// A name in the token for a version that has none yet.
    fn place(&self, spec: KeySpec, binding: &Binding<'_>) -> Result<Place, Fault> {
        let usage = KeyUsage::from_wire(binding.usage).ok_or_else(unsuitable)?;
        let kind = kind(spec, usage).ok_or_else(unsuitable)?;
        let serial = self.hsm.facts().map_err(fault)?.serial;
        let label = format!("{LABEL_PREFIX}{}:{}:{}", binding.account, binding.key_id, binding.version_id);
        Ok(Place { serial, label, key: KeyRef { kind, id: rng::public_array() } })
    }

    /// What is stored of an object that was made.
    fn made(&self, place: &Place, binding: &Binding<'_>, public: Option<Vec<u8>>) -> Result<NewKey, Fault> {
        let (hsm, key) = (Arc::clone(&self.hsm), place.key);
        // First, so that it is destroyed also if the rest fails.
        let unclaimed = Unclaimed::new(move || hsm.discard(key));
        let json = serde_json::to_vec(place).map_err(Fault::internal)?;
        let blob = self.keyring.seal_with(|domain| wrap::seal_token_handle(domain, binding, &json))?;
        Ok(NewKey { blob: KeyBlob(blob), public, unclaimed: Some(unclaimed) })
    }

    fn open_place(&self, blob: &KeyBlob, binding: &Binding<'_>) -> Result<Place, Fault> {
        let failed = |why: &dyn std::fmt::Display| {
            Fault::internal(format!("the handle of key version {}: {why}", binding.version_id))
        };
        let json = self
            .keyring
            .open_with(&blob.0, |domain, sealed| wrap::open_token_handle(domain, binding, sealed))
            .map_err(|error| failed(&error))?;
        let place: Place = serde_json::from_slice(json.expose()).map_err(|error| failed(&error))?;
        let facts = self.hsm.facts().map_err(fault)?;
        if facts.serial != place.serial {
            let (wanted, found) = (&place.serial, &facts.serial);
            return Err(Fault::unavailable(format!("the key is in the token {wanted:?}, and {found:?} is there")));
        }
        Ok(place)
    }
}

impl KeyBackend for TokenBackend {
    fn supports(&self, spec: KeySpec, usage: KeyUsage, imported: bool) -> Result<bool, Fault> {
        match kind(spec, usage) {
            Some(kind) => self.hsm.serves(kind, imported).map_err(fault),
            None => Ok(false),
        }
    }

    fn generate(&self, spec: KeySpec, binding: &Binding<'_>, _: &AccountId) -> Work<'_, Result<NewKey, Error>> {
        let binding = OwnedBinding::of(binding);
        Work::Later(Box::pin(async move {
            let place = self.place(spec, &binding.borrow())?;
            let name = ObjectName { id: place.key.id, label: place.label.clone() };
            let public = self.hsm.generate(place.key.kind, name).await.map_err(fault)?;
            Ok(self.made(&place, &binding.borrow(), public)?)
        }))
    }

    fn import(
        &self,
        spec: KeySpec,
        material: &SecretBytes,
        binding: &Binding<'_>,
    ) -> Work<'_, Result<Result<NewKey, BadMaterial>, Fault>> {
        let (material, public) = match (spec.row().material_bytes, spec.asymmetric()) {
            (Some(bytes), _) if material.len() == bytes => (Secret::new(material.expose().to_vec()), None),
            (None, Some(spec)) => {
                let Ok(key) = PrivateKey::import(spec, material.expose()) else {
                    return Work::Done(Ok(Err(BadMaterial)));
                };
                match key.to_pkcs8() {
                    Ok(pkcs8) => (Secret::new(pkcs8.expose().to_vec()), Some(key.public_spki())),
                    Err(error) => return Work::Done(Err(Fault::internal(error))),
                }
            }
            _ => return Work::Done(Ok(Err(BadMaterial))),
        };
        let binding = OwnedBinding::of(binding);
        Work::Later(Box::pin(async move {
            let place = self.place(spec, &binding.borrow())?;
            let name = ObjectName { id: place.key.id, label: place.label.clone() };
            self.hsm.import(place.key.kind, name, material, public.clone()).await.map_err(fault)?;
            Ok(Ok(self.made(&place, &binding.borrow(), public)?))
        }))
    }

    fn destroy(&self, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<(), Fault>> {
        let place = match self.open_place(blob, binding) {
            Ok(place) => place,
            Err(fault) => return Work::Done(Err(fault)),
        };
        Work::Later(Box::pin(async move { self.hsm.destroy(place.key).await.map_err(fault) }))
    }

    fn load(&self, _: KeySpec, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<KeyHandle, Fault>> {
        Work::Done(self.open_place(blob, binding).map(|place| KeyHandle::new(place.key)))
    }

    fn encrypt(
        &self,
        _: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        kind: Content,
        plaintext: &SecretBytes,
    ) -> Work<'_, Result<Vec<u8>, Fault>> {
        let key = match key_of(key) {
            Ok(key) => key,
            Err(fault) => return Work::Done(Err(fault)),
        };
        let (aad, binding) = (token::secret_aad(binding), OwnedBinding::of(binding));
        let context = envelope::canonical_context(context.pairs());
        let plaintext = SecretBytes::new(plaintext.expose().to_vec());
        Work::Later(Box::pin(async move {
            let (secret, nonce) = (Key256::random(), self.nonces.next());
            let given = Secret::new(secret.expose().to_vec());
            let wrapped = self.hsm.seal(key, nonce, aad.to_vec(), given).await.map_err(fault)?;
            let wrapped: &[u8; token::WRAPPED_BYTES] =
                wrapped.first_chunk().ok_or_else(|| Fault::internal("a short answer of the token"))?;
            token::encrypt(kind, &secret, (&nonce, wrapped), &binding.borrow(), &context, plaintext.expose())
                .map_err(|error| Fault::internal(format!("encrypt under {}: {error}", binding.borrow().version_id)))
        }))
    }

    fn decrypt(
        &self,
        _: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Fault>> {
        let key = match key_of(key) {
            Ok(key) => key,
            Err(fault) => return Work::Done(Err(fault)),
        };
        let Ok((nonce, wrapped)) = token::wrapped_secret(binding, ciphertext) else {
            return Work::Done(Ok(Err(Unreadable)));
        };
        let (nonce, wrapped, aad) = (*nonce, wrapped.to_vec(), token::secret_aad(binding));
        let (binding, ciphertext) = (OwnedBinding::of(binding), ciphertext.to_vec());
        let context = envelope::canonical_context(context.pairs());
        Work::Later(Box::pin(async move {
            let Some(secret) = self.hsm.open(key, nonce, aad.to_vec(), wrapped).await.map_err(fault)? else {
                return Ok(Err(Unreadable));
            };
            let secret = Key256::from_slice(secret.expose());
            let secret = secret.ok_or_else(|| Fault::internal("a secret of another length"))?;
            Ok(token::decrypt(&secret, &binding.borrow(), &context, &ciphertext).map_err(|_| Unreadable))
        }))
    }

    fn private_decrypt(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        ciphertext: &[u8],
        _: &AccountId,
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Error>> {
        let (Ok(key), Some(algorithm)) = (key_of(key), algorithm.encryption().and_then(TokenAlgorithm::of_encryption))
        else {
            return Work::Done(Err(unsuitable().into()));
        };
        let ciphertext = ciphertext.to_vec();
        Work::Later(Box::pin(async move {
            let opened = self.hsm.decrypt(key, algorithm, ciphertext).await.map_err(fault)?;
            Ok(opened.map(|secret| SecretBytes::new(secret.into_bytes())).ok_or(Unreadable))
        }))
    }

    fn sign(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        digest: &[u8],
        _: &AccountId,
    ) -> Work<'_, Result<Vec<u8>, Error>> {
        let (Ok(key), Some(algorithm)) = (key_of(key), algorithm.signature().and_then(TokenAlgorithm::of_signature))
        else {
            return Work::Done(Err(unsuitable().into()));
        };
        let digest = digest.to_vec();
        Work::Later(Box::pin(async move { Ok(self.hsm.sign(key, algorithm, digest).await.map_err(fault)?) }))
    }

    fn mac(&self, key: &KeyHandle, algorithm: Algorithm, message: &[u8]) -> Work<'_, Result<Vec<u8>, Fault>> {
        let key = match key_of(key) {
            Ok(key) if algorithm.mac().and_then(Kind::of_mac) == Some(key.kind) => key,
            _ => return Work::Done(Err(unsuitable())),
        };
        let message = Secret::new(message.to_vec());
        Work::Later(Box::pin(async move { self.hsm.mac(key, message).await.map_err(fault) }))
    }
}
