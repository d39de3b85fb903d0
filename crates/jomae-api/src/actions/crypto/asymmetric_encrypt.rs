//! `AsymmetricEncrypt`: encrypt under a public key.

use crate::{
    action::{Access, Action, ActionSpec, Base64, Class, Effect, Group, StateRule, Target},
    actions::params::{ALGORITHM, DRY_RUN, KEY_REF, KEY_VERSION_ID, PLAINTEXT},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{Input, optional, required},
    spec::Algorithm,
};
use jomae_crypto::secret::SecretBytes;

pub struct AsymmetricEncrypt {
    pub key: KeyRef,
    pub version: KeyVersionId,
    pub algorithm: Algorithm,
    pub plaintext: SecretBytes,
}

answer! {
    /// The answer.
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// The ciphertext.
        ciphertext_blob: Base64 => "CiphertextBlob",
    }
}

impl Action for AsymmetricEncrypt {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "AsymmetricEncrypt",
        group: Group::Crypto,
        class: Class::CryptoAsymmetric,
        effect: Effect::Read,
        params: &[
            required(&KEY_REF),
            required(&KEY_VERSION_ID),
            required(&ALGORITHM),
            required(&PLAINTEXT),
            optional(&DRY_RUN),
        ],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::KeyVersionNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Encrypts under the public key of a version: RSA-OAEP or SM2, as the standards have them. The limits on the plaintext follow from key and algorithm.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1"),
            ("Algorithm", "RSAES_OAEP_SHA_256"),
            ("Plaintext", "aGVsbG8="),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            version: input.required(&KEY_VERSION_ID)?,
            algorithm: input.required(&ALGORITHM)?,
            plaintext: input.required(&PLAINTEXT)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:AsymmetricEncrypt", Target::Key(&self.key))
    }
}
