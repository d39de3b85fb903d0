use jomae_api::actions::crypto::generate_mac::{GenerateMac, Output};

use super::{expect_algorithm, expect_kind};
use crate::prelude::*;

impl Handle<GenerateMac> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, GenerateMac>) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        expect_kind(key, KeyKind::Mac)?;
        expect_algorithm(key, wanted.algorithm, &[Purpose::Mac])?;
        let ready = self.primary(tx, key).await?;
        let mac = self
            .backends
            .of(key.record.protection)?
            .mac(&ready.handle, wanted.algorithm, wanted.message.expose())
            .wait()
            .await?;
        Ok(Output { key_id: key.place.id.clone(), algorithm: wanted.algorithm, mac: Base64(mac) })
    }
}
