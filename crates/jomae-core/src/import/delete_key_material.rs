use jomae_api::{
    action::Empty, actions::import::delete_key_material::DeleteKeyMaterial, actions::metadata::KeyOrigin,
    error::Refusal,
};

use super::forget_material;
use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DeleteKeyMaterial> for Kms {
    async fn handle(
        &self,
        _: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeleteKeyMaterial>,
    ) -> Result<Empty, Error> {
        let key = granted.key()?;
        if key.record.origin != KeyOrigin::External {
            return Err(Refusal::OriginUnsupported.into());
        }
        forget_material(tx, &key.place, &key.record)?;
        Ok(Empty {})
    }
}
