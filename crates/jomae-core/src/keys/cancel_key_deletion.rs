use jomae_api::actions::{keys::cancel_key_deletion::CancelKeyDeletion, metadata::KeyState};

use super::plan_rotation;
use crate::{
    prelude::*,
    record::{DueRecord, Job, KeyRecord, path},
};

impl Handle<CancelKeyDeletion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CancelKeyDeletion>,
    ) -> Result<Empty> {
        let key = granted.key()?;
        if let Some(at) = key.record.delete_at {
            // Its destruction may have begun: some of its versions may be gone already.
            if at <= call.now.0 {
                return Err(Refusal::StateModifiedFailed.into());
            }
            tx.delete::<DueRecord>(path::due(at, Job::Destroy, &key.place));
        }
        // Enabling an EXTERNAL key that has no material would promise what it cannot do.
        let state = if key.record.has_material() { KeyState::Enabled } else { KeyState::PendingImport };
        let record = KeyRecord { state, delete_at: None, ..(*key.record).clone() };
        tx.put(path::key(&key.place), &record)?;
        plan_rotation(tx, &key.place, &record)?;
        Ok(Empty {})
    }
}
