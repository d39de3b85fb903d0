use jomae_api::actions::crypto::asymmetric_sign::{AsymmetricSign, Output};

use super::{expect_algorithm, expect_digest, expect_kind};
use crate::prelude::*;

impl Handle<AsymmetricSign> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AsymmetricSign>,
    ) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        expect_kind(key, KeyKind::Asymmetric)?;
        expect_algorithm(key, wanted.algorithm, &[Purpose::Sign])?;
        expect_digest(wanted.algorithm, &wanted.digest)?;
        let version = Self::named_version(tx, key, &wanted.version)?;
        let ready = self.ready(key, version).await?;
        let account = call.caller.account();
        let signature = self
            .backends
            .of(key.record.protection)?
            .sign(&ready.handle, wanted.algorithm, &wanted.digest, account)
            .wait()
            .await?;
        Ok(Output {
            key_id: key.place.id.clone(),
            key_version_id: ready.version.stored.id.clone(),
            value: Base64(signature),
        })
    }
}
