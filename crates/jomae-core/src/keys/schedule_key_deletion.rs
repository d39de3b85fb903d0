use jomae_api::actions::{keys::schedule_key_deletion::ScheduleKeyDeletion, metadata::KeyState};

use crate::{
    prelude::*,
    record::{DueRecord, Job, KeyRecord, path},
};

const DAY_SECS: i64 = 86_400;

impl Handle<ScheduleKeyDeletion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ScheduleKeyDeletion>,
    ) -> Result<Empty> {
        let key = granted.key()?;
        if key.record.deletion_protection {
            return Err(Refusal::DeletionProtected.into());
        }
        let delete_at = call.now.0 + i64::from(granted.action().pending_window_days) * DAY_SECS;
        let job = Job::Destroy;
        tx.put(path::due(delete_at, job, &key.place), &DueRecord { key: key.place.clone(), job })?;
        tx.put(
            path::key(&key.place),
            &KeyRecord { state: KeyState::PendingDeletion, delete_at: Some(delete_at), ..(*key.record).clone() },
        )?;
        Ok(Empty {})
    }
}
