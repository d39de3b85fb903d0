//! Bring your own key. One file an action.
//!
//! The import token is the wrapping private key, sealed under a domain key and bound to the key that it is for: nothing
//! is stored between the two calls, and any node can finish what another began.

mod delete_key_material;
mod get_parameters_for_import;
mod import_key_material;

use jomae_api::{
    actions::metadata::KeyState,
    names::{KeyPlace, KeyVersionId},
    spec::{KeySpec, WrappingAlgorithm},
};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    hash::sha256,
    import::{self, Unwrapped},
    purpose::Purpose,
    sealed,
    secret::SecretBytes,
};
use serde::{Deserialize, Serialize};

use crate::{
    backend::software::generation,
    keyring::Keyring,
    keys::{discard, new_id},
    prelude::*,
    record::{DueRecord, Job, KeyRecord, StoredVersion, VersionRecord, path},
    wait::{Effort, offload},
};

/// What an import token says of itself.
#[derive(Serialize, Deserialize)]
struct Token {
    wrapping_spec: KeySpec,
    algorithm: WrappingAlgorithm,
    /// Unix seconds.
    expires_at: i64,
}

impl Token {
    /// Token and wrapping key as one sealed message: a length (u32, big-endian), the token as JSON, the PKCS#8 key.
    fn seal(&self, keyring: &Keyring, key: &KeyPlace, pkcs8: &SecretBytes) -> Result<Vec<u8>, Fault> {
        let json = serde_json::to_vec(self).map_err(Fault::internal)?;
        let length = u32::try_from(json.len()).map_err(Fault::internal)?;
        let mut plain = Vec::with_capacity(4 + json.len() + pkcs8.len());
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(&json);
        plain.extend_from_slice(pkcs8.expose());
        let plain = SecretBytes::new(plain);
        let arn = key.arn();
        keyring.seal_with(|domain| sealed::seal(domain, Purpose::ImportToken, arn.as_bytes(), &[], plain.expose()))
    }

    /// Opens a token for this key; one for another key, a damaged one and a foreign one are the same refusal.
    fn open(keyring: &Keyring, key: &KeyPlace, token: &[u8]) -> Result<(Self, SecretBytes), Refusal> {
        let arn = key.arn();
        let plain = keyring
            .open_with(token, |domain, sealed| sealed::open(domain, Purpose::ImportToken, arn.as_bytes(), &[], sealed))
            .map_err(|_| Refusal::ImportTokenInvalid)?;
        let (length, rest) = plain.expose().split_first_chunk::<4>().ok_or(Refusal::ImportTokenInvalid)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Refusal::ImportTokenInvalid)?;
        let (json, pkcs8) = rest.split_at_checked(length).ok_or(Refusal::ImportTokenInvalid)?;
        let token = serde_json::from_slice(json).map_err(|_| Refusal::ImportTokenInvalid)?;
        Ok((token, SecretBytes::new(pkcs8.to_vec())))
    }
}

impl Kms {
    /// A fresh wrapping key: private (PKCS#8) and public (SubjectPublicKeyInfo).
    async fn new_wrapping_key(&self, spec: AsymSpec, caller: &AccountId) -> Result<(SecretBytes, Vec<u8>)> {
        let made = offload(&*self.pool, generation(spec), caller, move || {
            let key = PrivateKey::generate(spec).map_err(Fault::internal)?;
            Ok::<_, Fault>((key.to_pkcs8().map_err(Fault::internal)?, key.public_spki()))
        });
        Ok(made.await??)
    }

    /// Unwraps material, or makes a substitute that fails in the end, after the same steps.
    async fn unwrap_material(
        &self,
        token: &Token,
        wrapping_key: SecretBytes,
        spec: KeySpec,
        wrapped: &[u8],
        caller: &AccountId,
    ) -> Result<Unwrapped> {
        let wrapping_spec = token.wrapping_spec.asymmetric().ok_or_else(|| Fault::internal("wrapping key spec"))?;
        let (algorithm, wrapped) = (token.algorithm.wrapping(), wrapped.to_vec());
        let expected_bytes = spec.row().material_bytes;
        let unwrapped = offload(&*self.pool, Effort::Operation, caller, move || {
            let key = PrivateKey::from_pkcs8(wrapping_spec, wrapping_key.expose()).map_err(Fault::internal)?;
            Ok::<_, Fault>(import::unwrap_material(&key, algorithm, &wrapped, expected_bytes))
        });
        Ok(unwrapped.await??)
    }

    fn new_version_id(now: Timestamp) -> Result<KeyVersionId, Fault> {
        KeyVersionId::new(&new_id(now).to_string()).ok_or_else(|| Fault::internal("key version id"))
    }
}

/// By what a key knows its first material again: of a symmetric key the material, of a private key its public half.
/// Kept only inside a sealed record.
fn check_value(key: &KeyPlace, material: &SecretBytes, public: Option<&[u8]>) -> [u8; 32] {
    let identity = public.unwrap_or(material.expose());
    sha256(&[Purpose::ImportedMaterial.label().as_bytes(), key.arn().as_bytes(), b"\0", identity])
}

/// Destroys imported material. The version stays, so that the same material can bring its ciphertexts back to life.
pub(crate) fn forget_material(tx: &mut Tx<'_>, place: &KeyPlace, record: &KeyRecord) -> Result<()> {
    if !record.has_imported_material {
        return Ok(());
    }
    if let Some(primary) = &record.primary {
        let at = path::version(place, primary.number);
        let version = tx.get::<VersionRecord>(&at)?;
        let version = version.ok_or_else(|| Fault::internal(format!("record {at} is missing")))?;
        discard(tx, place, record, &version.stored)?;
        tx.put(at, &VersionRecord::of(StoredVersion { blob: None, ..version.stored.clone() }))?;
    }
    if let Some(planned) = record.material_expires_at {
        tx.delete::<DueRecord>(path::due(planned, Job::ExpireMaterial, place));
    }
    // A key that waits for its deletion goes on waiting.
    let state = if record.state == KeyState::PendingDeletion { record.state } else { KeyState::PendingImport };
    let record = KeyRecord { state, has_imported_material: false, material_expires_at: None, ..record.clone() };
    Ok(tx.put(path::key(place), &record)?)
}
