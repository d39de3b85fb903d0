use jomae_api::{
    actions::{
        keys::create_key::{CreateKey, Output},
        metadata::{KeyOrigin, KeyState},
    },
    names::{KeyId, KeyPlace},
};

use super::{add_version, metadata, new_id, plan_rotation};
use crate::{
    prelude::*,
    quota::Counted,
    ram::cost::check_key_policy,
    record::{KeyRecord, path},
    stored::Derived,
};

impl Handle<CreateKey> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, CreateKey>) -> Result<Output> {
        let wanted = granted.action();
        if !self.backend.supports(wanted.spec) {
            return Err(Refusal::ParameterInvalid("KeySpec").into());
        }
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
