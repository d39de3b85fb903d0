use jomae_api::actions::crypto::get_public_key::{GetPublicKey, Output};
use jomae_crypto::asym;

use super::{expect_kind, public_key};
use crate::prelude::*;

impl Handle<GetPublicKey> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, GetPublicKey>) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        expect_kind(key, KeyKind::Asymmetric)?;
        let version = Self::named_version(tx, key, &wanted.version)?;
        let public_key = asym::spki_to_pem(public_key(&version)?);
        Ok(Output { key_id: key.place.id.clone(), key_version_id: version.stored.id.clone(), public_key })
    }
}
