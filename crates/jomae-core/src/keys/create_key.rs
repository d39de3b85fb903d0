use jomae_api::{
    actions::{
        keys::create_key::{CreateKey, Output},
        metadata::{KeyOrigin, KeyState, ProtectionLevel},
    },
    names::{KeyId, KeyPlace},
};

use super::{add_version, metadata, new_id, plan_rotation};
use crate::{
    prelude::*,
    quota::Counted,
    ram::cost::check_key_policy,
    record::{Discarded, KeyRecord, path},
    stored::{Derived, Record as _},
};

impl Kms {
    /// Refuses what the backend of the level cannot make, or cannot use for all that the usage allows: before anything is
    /// made.
    fn expect_served(&self, tx: &Tx<'_>, wanted: &CreateKey) -> Result<()> {
        let backend = self.backends.find(wanted.protection).ok_or(Refusal::ProtectionLevelUnsupported)?;
        let imported = wanted.origin == KeyOrigin::External;
        match (backend.supports(wanted.spec, wanted.usage, imported)?, wanted.protection) {
            (true, ProtectionLevel::Software) => Ok(()),
            // An older version would take such a key for one of ours, and its ciphertexts for none at all.
            (true, ProtectionLevel::Hsm) => Ok(tx.expect_form(Discarded::FORM)?),
            (false, ProtectionLevel::Software) => Err(Refusal::ParameterInvalid("KeySpec").into()),
            (false, ProtectionLevel::Hsm) => Err(Refusal::ProtectionLevelUnsupported.into()),
        }
    }
}

impl Handle<CreateKey> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, CreateKey>) -> Result<Output> {
        let wanted = granted.action();
        self.expect_served(tx, wanted)?;
        if let Some(policy) = &wanted.policy {
            check_key_policy(&policy.policy().map_err(Refusal::KeyPolicyMalformed)?)?;
        }
        if wanted.spec.row().kind == KeyKind::Asymmetric {
            self.quotas.expect_room(tx, call.caller.account(), Counted::Key)?;
        }
        let id = KeyId::new(&new_id(call.now).to_string()).ok_or_else(|| Fault::internal("key id"))?;
        let place = call.own_key(id);
        let mut record = KeyRecord {
            creator: call.caller.account().clone(),
            created: call.now.0,
            description: wanted.description.clone(),
            spec: wanted.spec,
            usage: wanted.usage,
            origin: wanted.origin,
            protection: wanted.protection,
            state: KeyState::Enabled,
            primary: None,
            versions: 0,
            last_rotation: call.now.0,
            rotation_interval_secs: wanted.rotation_interval_secs,
            delete_at: None,
            deletion_protection: false,
            deletion_protection_description: String::new(),
            material_expires_at: None,
            has_imported_material: false,
            material_check: None,
            policy: wanted.policy.clone(),
            primary_in_memory: Derived::default(),
            policy_in_memory: Derived::default(),
            tags: wanted.tags.clone(),
        };
        match wanted.origin {
            KeyOrigin::AliyunKms => {
                add_version(self, tx, &place, &mut record, call.now).await?;
            }
            KeyOrigin::External => record.state = KeyState::PendingImport,
        }
        // A random id that is taken is as good as impossible, and still must never overwrite a key.
        if tx.get::<KeyRecord>(&path::key(&place))?.is_some() {
            return Err(Fault::internal("a new key id is taken").into());
        }
        plan_rotation(tx, &place, &record)?;
        // Last: what the commit compares of it should be old by no more than the commit itself takes.
        self.quotas.take(tx, &place.account, Counted::Key)?;
        tx.insert(path::key(&place), &record)?;
        Ok(Output { key_metadata: metadata(&place, &record) })
    }

    fn made(call: &Call<'_>, output: &Output) -> Option<KeyPlace> {
        Some(call.own_key(output.key_metadata.key_id.clone()))
    }
}
