//! Keys in this process: material wrapped under a domain key in the store, unwrapped in memory while it is in use.
//!
//! What takes long (RSA, the making of asymmetric keys, post-quantum algorithms) goes to the pool; the rest is done at
//! once, on the request's thread.

use std::sync::Arc;

use jomae_api::{
    names::AccountId,
    param::EncryptionContext,
    spec::{Algorithm, KeyKind, KeySpec, KeyUsage},
};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    envelope::{self, Binding, Content},
    mac,
    sealed::SealingKey,
    secret::SecretBytes,
    wrap,
};

use super::{BadMaterial, KeyBackend, KeyBlob, KeyHandle, NewKey, OwnedBinding, Unreadable};
use crate::{
    error::{Error, Fault, FaultKind},
    keyring::Keyring,
    shredding::ShreddingKeys,
    wait::{Effort, Pool, Work, offload},
};

/// The software backend.
pub struct SoftwareBackend {
    keyring: Arc<Keyring>,
    pool: Arc<dyn Pool>,
    shredding: Arc<ShreddingKeys>,
}

impl SoftwareBackend {
    pub fn new(keyring: Arc<Keyring>, pool: Arc<dyn Pool>) -> Self {
        Self { keyring, pool, shredding: Arc::default() }
    }

    /// With shredding keys, under which new material goes.
    #[must_use]
    pub fn with_shredding(self, shredding: Arc<ShreddingKeys>) -> Self {
        Self { shredding, ..self }
    }

    /// `done` gives what the caller asks for.
    fn wrap<'s, T: Send + 's>(
        &'s self,
        binding: &Binding<'_>,
        material: &SecretBytes,
        public: Option<Vec<u8>>,
        done: fn(Result<NewKey, Fault>) -> T,
    ) -> Work<'s, T> {
        let wrapped = self.keyring.seal_with(|domain| wrap::wrap_cmk_material(domain, binding, material));
        let wrapped = wrapped.and_then(|blob| self.shredding.wrap(binding, &blob).map(|outer| (blob, outer)));
        match wrapped {
            Ok((_, Ok(blob))) => Work::Done(done(Ok(NewKey { blob: KeyBlob(blob), public, unclaimed: None }))),
            // Another node has made the shredding key a moment ago.
            Ok((inner, Err(_))) => {
                let binding = OwnedBinding::of(binding);
                Work::Later(Box::pin(async move {
                    let blob = self.shredding.wrap_later(&binding.borrow(), &inner).await;
                    done(blob.map(|blob| NewKey { blob: KeyBlob(blob), public, unclaimed: None }))
                }))
            }
            Err(fault) => Work::Done(done(Err(fault))),
        }
    }

    /// The key in what a domain key has wrapped.
    fn open(&self, spec: KeySpec, inner: &[u8], binding: &Binding<'_>) -> Result<KeyHandle, Fault> {
        let material = self
            .keyring
            .open_with(inner, |domain, wrapped| wrap::unwrap_cmk_material(domain, binding, wrapped))
            .map_err(|error| Fault::internal(format!("material of key version {}: {error}", binding.version_id)))?;
        match spec.asymmetric() {
            None if spec.cipher().is_some() => {
                SealingKey::new(material.expose()).map(KeyHandle::new).map_err(Fault::internal)
            }
            None => Ok(KeyHandle::new(material)),
            Some(spec) => PrivateKey::from_pkcs8(spec, material.expose()).map(KeyHandle::new).map_err(Fault::internal),
        }
    }

    fn offload<T: Send + 'static>(
        &self,
        effort: Effort,
        account: &AccountId,
        job: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Work<'_, Result<T, Error>> {
        let result = offload(&*self.pool, effort, account, job);
        Work::Later(Box::pin(async move { Ok(result.await??) }))
    }
}

/// A key whose private operation is quick enough for a request's thread.
const fn is_quick(spec: AsymSpec) -> bool {
    matches!(spec, AsymSpec::EcP256 | AsymSpec::Ed25519)
}

/// What the making of a key takes.
pub(crate) const fn generation(spec: AsymSpec) -> Effort {
    match spec {
        AsymSpec::Rsa2048 | AsymSpec::Rsa3072 | AsymSpec::Rsa4096 => Effort::Generation,
        _ => Effort::QuickGeneration,
    }
}

fn unsuitable() -> Fault {
    Fault::internal("an algorithm that does not fit the key, or a handle of another backend")
}

impl KeyBackend for SoftwareBackend {
    fn supports(&self, spec: KeySpec, _: KeyUsage, _: bool) -> Result<bool, Fault> {
        Ok(match spec.row().kind {
            KeyKind::Symmetric => spec.cipher().is_some(),
            KeyKind::Asymmetric => spec.asymmetric().is_some(),
            KeyKind::Mac => true,
        })
    }

    fn generate(&self, spec: KeySpec, binding: &Binding<'_>, account: &AccountId) -> Work<'_, Result<NewKey, Error>> {
        if let Some(bytes) = spec.row().material_bytes {
            return self.wrap(binding, &SecretBytes::random(bytes), None, |made| made.map_err(Error::from));
        }
        let Some(spec) = spec.asymmetric() else { return Work::Done(Err(unsuitable().into())) };
        let made = self.offload(generation(spec), account, move || {
            let key = PrivateKey::generate(spec).map_err(Fault::internal)?;
            Ok((key.to_pkcs8().map_err(Fault::internal)?, key.public_spki()))
        });
        let binding = OwnedBinding::of(binding);
        Work::Later(Box::pin(async move {
            let (pkcs8, public) = made.wait().await?;
            Ok(self.wrap(&binding.borrow(), &pkcs8, Some(public), |made| made).wait().await?)
        }))
    }

    fn import(
        &self,
        spec: KeySpec,
        material: &SecretBytes,
        binding: &Binding<'_>,
    ) -> Work<'_, Result<Result<NewKey, BadMaterial>, Fault>> {
        let row = spec.row();
        if let Some(bytes) = row.material_bytes {
            if material.len() != bytes {
                return Work::Done(Ok(Err(BadMaterial)));
            }
            return self.wrap(binding, material, None, |made| made.map(Ok));
        }
        let Some(spec) = spec.asymmetric() else { return Work::Done(Err(unsuitable())) };
        let Ok(key) = PrivateKey::import(spec, material.expose()) else { return Work::Done(Ok(Err(BadMaterial))) };
        match key.to_pkcs8() {
            Ok(pkcs8) => self.wrap(binding, &pkcs8, Some(key.public_spki()), |made| made.map(Ok)),
            Err(error) => Work::Done(Err(Fault::internal(error))),
        }
    }

    /// The material is nowhere but in the blob.
    fn destroy(&self, _: &KeyBlob, _: &Binding<'_>) -> Work<'_, Result<(), Fault>> {
        Work::Done(Ok(()))
    }

    fn load(&self, spec: KeySpec, blob: &KeyBlob, binding: &Binding<'_>) -> Work<'_, Result<KeyHandle, Fault>> {
        let missing = match self.shredding.unwrap(binding, &blob.0) {
            Ok(Ok(inner)) => return Work::Done(self.open(spec, &inner, binding)),
            Ok(Err(missing)) => missing,
            Err(fault) => return Work::Done(Err(fault)),
        };
        let (stored, binding) = (blob.0.clone(), OwnedBinding::of(binding));
        Work::Later(Box::pin(async move {
            let binding = binding.borrow();
            let of_version = |why: &str| format!("material of key version {}: {why}", binding.version_id);
            self.shredding.fetch(missing).await.map_err(|fault| match fault.kind {
                FaultKind::Unavailable => Fault::unavailable(of_version(&fault.to_string())),
                _ => Fault::internal(of_version(&fault.to_string())),
            })?;
            match self.shredding.unwrap(&binding, &stored)? {
                Ok(inner) => self.open(spec, &inner, &binding),
                Err(_) => Err(Fault::internal(of_version("its shredding key is not there any more"))),
            }
        }))
    }

    fn encrypt(
        &self,
        spec: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        kind: Content,
        plaintext: &SecretBytes,
    ) -> Work<'_, Result<Vec<u8>, Fault>> {
        let (Some(cipher), Some(material)) = (spec.cipher(), key.peek::<SealingKey>()) else {
            return Work::Done(Err(unsuitable()));
        };
        let context = envelope::canonical_context(context.pairs());
        Work::Done(
            envelope::encrypt_content(cipher, kind, material, binding, &context, plaintext.expose())
                .map_err(|error| Fault::internal(format!("encrypt under {}: {error}", binding.version_id))),
        )
    }

    fn decrypt(
        &self,
        spec: KeySpec,
        key: &KeyHandle,
        binding: &Binding<'_>,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Fault>> {
        let (Some(_), Some(material)) = (spec.cipher(), key.peek::<SealingKey>()) else {
            return Work::Done(Err(unsuitable()));
        };
        let context = envelope::canonical_context(context.pairs());
        Work::Done(Ok(envelope::decrypt(material, binding, &context, ciphertext).map_err(|_| Unreadable)))
    }

    fn private_decrypt(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        ciphertext: &[u8],
        account: &AccountId,
    ) -> Work<'_, Result<Result<SecretBytes, Unreadable>, Error>> {
        let Some(key) = key.get::<PrivateKey>() else { return Work::Done(Err(unsuitable().into())) };
        let ciphertext = ciphertext.to_vec();
        self.offload(Effort::Operation, account, move || {
            let opened = match (algorithm, algorithm.encryption()) {
                (Algorithm::MlKem768, _) => key.decapsulate(&ciphertext),
                (_, Some(algorithm)) => key.decrypt(algorithm, &ciphertext),
                (_, None) => return Err(unsuitable()),
            };
            Ok(opened.map_err(|_| Unreadable))
        })
    }

    fn sign(
        &self,
        key: &KeyHandle,
        algorithm: Algorithm,
        digest: &[u8],
        account: &AccountId,
    ) -> Work<'_, Result<Vec<u8>, Error>> {
        let (Some(key), Some(algorithm)) = (key.get::<PrivateKey>(), algorithm.signature()) else {
            return Work::Done(Err(unsuitable().into()));
        };
        if is_quick(key.spec()) {
            return Work::Done(key.sign(algorithm, digest).map_err(|error| Fault::internal(error).into()));
        }
        let digest = digest.to_vec();
        self.offload(Effort::Operation, account, move || key.sign(algorithm, &digest).map_err(Fault::internal))
    }

    fn mac(&self, key: &KeyHandle, algorithm: Algorithm, message: &[u8]) -> Work<'_, Result<Vec<u8>, Fault>> {
        let (Some(material), Some(algorithm)) = (key.peek::<SecretBytes>(), algorithm.mac()) else {
            return Work::Done(Err(unsuitable()));
        };
        Work::Done(Ok(mac::mac(algorithm, material.expose(), message).to_vec()))
    }
}
