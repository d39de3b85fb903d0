use jomae_api::actions::crypto::asymmetric_encrypt::{AsymmetricEncrypt, Output};
use jomae_crypto::asym;

use super::{ENCRYPTION, expect_algorithm, expect_kind, public_key};
use crate::prelude::*;

impl Handle<AsymmetricEncrypt> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AsymmetricEncrypt>,
    ) -> Result<Output> {
        let (key, wanted) = (granted.key()?, granted.action());
        expect_kind(key, KeyKind::Asymmetric)?;
        expect_algorithm(key, wanted.algorithm, ENCRYPTION)?;
        let version = Self::named_version(tx, key, &wanted.version)?;
        key.uses(&version)?;
        // Decapsulation has no counterpart here: anyone with the public key encapsulates by himself.
        let (Some(spec), Some(algorithm)) = (key.record.spec.asymmetric(), wanted.algorithm.encryption()) else {
            return Err(Refusal::OperationUnsupported.into());
        };
        let ciphertext = asym::encrypt(spec, algorithm, public_key(&version)?, wanted.plaintext.expose());
        let ciphertext = ciphertext.map_err(|refused| match refused {
            asym::EncryptRefused::TooLong => Error::Refused(Refusal::ParameterInvalid("Plaintext")),
            other => Error::Failed(Fault::internal(other.to_string())),
        })?;
        Ok(Output {
            key_id: key.place.id.clone(),
            key_version_id: version.stored.id.clone(),
            ciphertext_blob: Base64(ciphertext),
        })
    }
}
