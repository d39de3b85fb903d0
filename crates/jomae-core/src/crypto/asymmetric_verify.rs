use jomae_api::actions::crypto::asymmetric_verify::{AsymmetricVerify, Output};
use jomae_crypto::asym;

use super::{expect_algorithm, expect_digest, expect_kind, public_key};
use crate::prelude::*;

impl Handle<AsymmetricVerify> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AsymmetricVerify>,
    ) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        expect_kind(key, KeyKind::Asymmetric)?;
        expect_algorithm(key, wanted.algorithm, &[Purpose::Sign])?;
        expect_digest(wanted.algorithm, &wanted.digest)?;
        let version = Self::named_version(tx, key, &wanted.version)?;
        key.uses(&version)?;
        let (Some(spec), Some(algorithm)) = (key.record.spec.asymmetric(), wanted.algorithm.signature()) else {
            return Err(Refusal::ParameterInvalid("Algorithm").into());
        };
        let value = asym::verify(spec, algorithm, public_key(&version)?, &wanted.digest, &wanted.signature);
        Ok(Output { key_id: key.place.id.clone(), key_version_id: version.stored.id.clone(), value })
    }
}
