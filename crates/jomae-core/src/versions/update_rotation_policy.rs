use jomae_api::actions::{metadata::KeyOrigin, versions::update_rotation_policy::UpdateRotationPolicy};

use crate::{
    keys::replan_rotation,
    prelude::*,
    record::{KeyRecord, path},
};

impl Handle<UpdateRotationPolicy> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateRotationPolicy>,
    ) -> Result<Empty> {
        let key = granted.key()?;
        if key.record.origin == KeyOrigin::External {
            return Err(Refusal::OriginUnsupported.into());
        }
        if key.record.spec.row().kind != KeyKind::Symmetric {
            return Err(Refusal::OperationUnsupported.into());
        }
        let planned = key.record.next_rotation_date();
        let rotation_interval_secs = granted.action().interval_secs;
        let record = KeyRecord { rotation_interval_secs, ..(*key.record).clone() };
        tx.put(path::key(&key.place), &record)?;
        replan_rotation(tx, &key.place, planned, &record)?;
        Ok(Empty {})
    }
}
