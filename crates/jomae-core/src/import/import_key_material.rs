use jomae_api::actions::{
    import::import_key_material::ImportKeyMaterial,
    metadata::{KeyOrigin, KeyState},
};
use jomae_crypto::secret::ct_eq;

use super::{Token, check_value};
use crate::{
    keys::discard,
    prelude::*,
    record::{DueRecord, Job, PrimaryVersion, StoredVersion, VersionIndex, VersionRecord, binding, path},
    shredding::expect_newest,
    stored::Bytes,
};

impl Handle<ImportKeyMaterial> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ImportKeyMaterial>,
    ) -> Result<Empty> {
        let (key, wanted) = (granted.key()?, granted.action());
        if key.record.origin != KeyOrigin::External {
            return Err(Refusal::OriginUnsupported.into());
        }
        if wanted.expires_at.is_some_and(|at| at <= call.now.0) {
            return Err(Refusal::ParameterInvalid("KeyMaterialExpireUnix").into());
        }
        let (token, wrapping_key) = Token::open(self.vault.keyring(), &key.place, &wanted.token)?;
        if token.expires_at <= call.now.0 {
            return Err(Refusal::ImportTokenExpired.into());
        }
        let unwrapped =
            self.unwrap_material(&token, wrapping_key, key.record.spec, &wanted.wrapped, call.caller.account()).await?;
        let mut record = (*key.record).clone();
        let (number, id) = match &record.primary {
            Some(primary) => (primary.number, primary.id.clone()),
            None => (1, Self::new_version_id(call.now)?),
        };
        let binding = binding(&key.place, &record, &id);
        let backend = self.backends.of(record.protection)?;
        let made = backend.import(record.spec, unwrapped.material(), &binding).wait().await?;
        // A private key is the same key in whatever encoding it comes: its public half tells.
        let public = made.as_ref().ok().and_then(|made| made.public.as_deref());
        let check = check_value(&key.place, unwrapped.material(), public);
        let is_first = record.material_check.as_ref().is_none_or(|bound| ct_eq(&bound.0, &check));
        // Only here, after every step has been done, does it show whether the unwrapping was right.
        let (Ok(made), Some(_), true) = (made, unwrapped.accept(), is_first) else {
            return Err(Refusal::KeyMaterialInvalid.into());
        };
        tx.claim(made.unclaimed);
        expect_newest(tx, &made.blob.0)?;
        let created = match &record.primary {
            Some(_) => {
                let before = Self::version(tx, key, number)?;
                discard(tx, &key.place, &record, &before.stored)?;
                before.stored.created
            }
            None => call.now.0,
        };
        let (blob, public) = (Some(Bytes(made.blob.0)), made.public.map(Bytes));
        let stored = StoredVersion { id: id.clone(), number, created, blob, public };
        tx.put(path::version(&key.place, number), &VersionRecord::of(stored))?;
        tx.put(path::version_index(&key.place.region, &id), &VersionIndex { key: key.place.clone(), number })?;
        if let Some(planned) = record.material_expires_at {
            tx.delete::<DueRecord>(path::due(planned, Job::ExpireMaterial, &key.place));
        }
        if let Some(at) = wanted.expires_at {
            let job = Job::ExpireMaterial;
            tx.put(path::due(at, job, &key.place), &DueRecord { key: key.place.clone(), job })?;
        }
        record.primary = Some(PrimaryVersion { number, id });
        record.versions = record.versions.max(number);
        record.has_imported_material = true;
        record.material_check = Some(Bytes(check.to_vec()));
        record.material_expires_at = wanted.expires_at;
        // A disabled key stays disabled: importing is no permission to use.
        if record.state == KeyState::PendingImport {
            record.state = KeyState::Enabled;
        }
        tx.put(path::key(&key.place), &record)?;
        Ok(Empty {})
    }
}
