use jomae_api::actions::{
    import::get_parameters_for_import::{GetParametersForImport, Output},
    metadata::KeyOrigin,
};

use super::Token;
use crate::prelude::*;

impl Handle<GetParametersForImport> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        _: &mut Tx<'_>,
        granted: &Authorized<'_, GetParametersForImport>,
    ) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        if key.record.origin != KeyOrigin::External {
            return Err(Refusal::OriginUnsupported.into());
        }
        let spec = wanted.wrapping_spec.asymmetric().ok_or_else(|| Fault::internal("wrapping key spec"))?;
        let (pkcs8, public_key) = self.new_wrapping_key(spec, call.caller.account()).await?;
        let expires_at = call.now.0 + limits::IMPORT_TOKEN_SECS;
        let token = Token { wrapping_spec: wanted.wrapping_spec, algorithm: wanted.algorithm, expires_at };
        Ok(Output {
            key_id: key.place.id.clone(),
            import_token: Base64(token.seal(self.vault.keyring(), &key.place, &pkcs8)?),
            public_key: Base64(public_key),
            token_expire_time: Timestamp(expires_at),
        })
    }
}
