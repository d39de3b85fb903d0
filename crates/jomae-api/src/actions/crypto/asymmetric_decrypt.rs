//! `AsymmetricDecrypt`: decrypt with a private key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, SecretBase64, StateRule, Target},
    actions::params::{ALGORITHM, CIPHERTEXT_BLOB, DRY_RUN, KEY_REF, KEY_VERSION_ID, RECIPIENT},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{Input, optional, required},
    spec::Algorithm,
};

pub struct AsymmetricDecrypt {
    pub key: KeyRef,
    pub version: KeyVersionId,
    pub algorithm: Algorithm,
    pub ciphertext: Vec<u8>,
}

answer! {
    /// The answer.
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// The plaintext. A secret.
        plaintext: SecretBase64 => "Plaintext",
    }
}

impl Action for AsymmetricDecrypt {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "AsymmetricDecrypt",
        group: Group::Crypto,
        class: Class::CryptoAsymmetric,
        effect: Effect::Read,
        params: &[
            required(&KEY_REF),
            required(&KEY_VERSION_ID),
            required(&ALGORITHM),
            required(&CIPHERTEXT_BLOB),
            optional(&RECIPIENT),
            optional(&DRY_RUN),
        ],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::KeyVersionNotFound,
            Refusal::CiphertextInvalid,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Decrypts with the private key of a version. Extension: with ML_KEM_768 the ciphertext is an encapsulation and the answer the shared secret.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1"),
            ("Algorithm", "RSAES_OAEP_SHA_256"),
            ("CiphertextBlob", "aGVsbG8="),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            version: input.required(&KEY_VERSION_ID)?,
            algorithm: input.required(&ALGORITHM)?,
            ciphertext: input.required(&CIPHERTEXT_BLOB)?,
        };
        input.optional(&RECIPIENT)?;
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:AsymmetricDecrypt", Target::Key(&self.key))
    }
}
