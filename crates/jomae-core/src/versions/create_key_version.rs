use jomae_api::actions::{
    metadata::KeyOrigin,
    versions::create_key_version::{CreateKeyVersion, KeyVersionRow, Output},
};

use crate::{
    keys::{add_version, replan_rotation},
    prelude::*,
    record::path,
};

impl Handle<CreateKeyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateKeyVersion>,
    ) -> Result<Output> {
        let key = granted.key()?;
        let mut record = (*key.record).clone();
        match (record.origin, record.spec.row().kind) {
            (KeyOrigin::External, _) => return Err(Refusal::OriginUnsupported.into()),
            (_, KeyKind::Mac) => return Err(Refusal::OperationUnsupported.into()),
            (_, KeyKind::Asymmetric) if record.versions >= limits::ASYMMETRIC_VERSIONS_MAX => {
                return Err(Refusal::LimitExceeded.into());
            }
            _ => {}
        }
        let planned = record.next_rotation_date();
        let version = add_version(self, tx, &key.place, &mut record, call.now).await?;
        tx.put(path::key(&key.place), &record)?;
        replan_rotation(tx, &key.place, planned, &record)?;
        let key_version =
            KeyVersionRow { key_id: key.place.id.clone(), key_version_id: version, creation_date: call.now };
        Ok(Output { key_version })
    }
}
