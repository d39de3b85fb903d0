use jomae_api::actions::{import::delete_key_material::DeleteKeyMaterial, metadata::KeyOrigin};

use super::forget_material;
use crate::prelude::*;

impl Handle<DeleteKeyMaterial> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeleteKeyMaterial>,
    ) -> Result<Empty> {
        let key = granted.key()?;
        if key.record.origin != KeyOrigin::External {
            return Err(Refusal::OriginUnsupported.into());
        }
        forget_material(tx, &key.place, &key.record)?;
        Ok(Empty {})
    }
}
