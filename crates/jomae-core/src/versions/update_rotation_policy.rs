use jomae_api::{
    action::Empty, actions::metadata::KeyOrigin, actions::versions::update_rotation_policy::UpdateRotationPolicy,
    error::Refusal, spec::KeyKind,
};

use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};
use crate::{
    keys::replan_rotation,
    record::{KeyRecord, path},
};

impl Handle<UpdateRotationPolicy> for Kms {
    async fn handle(
        &self,
        _: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateRotationPolicy>,
    ) -> Result<Empty, Error> {
        let key = granted.key()?;
        if key.record.origin == KeyOrigin::External {
            return Err(Refusal::OriginUnsupported.into());
        }
        if key.record.spec.row().kind != KeyKind::Symmetric {
            return Err(Refusal::OperationUnsupported.into());
        }
        let planned = key.record.next_rotation();
        let rotation_interval_secs = granted.action().interval_secs;
        let record = KeyRecord { rotation_interval_secs, ..(*key.record).clone() };
        tx.put(path::key(&key.place), &record)?;
        replan_rotation(tx, &key.place, planned, &record)?;
        Ok(Empty {})
    }
}
