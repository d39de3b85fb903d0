//! `GenerateDataKey`: a fresh data key, plain and encrypted.

use crate::{
    action::{Access, Action, ActionSpec, Base64, Class, Effect, Group, SecretBase64, StateRule, Target},
    actions::params::{
        DATA_KEY_SPEC, DRY_RUN, ENCRYPTION_CONTEXT, KEY_REF, NUMBER_OF_BYTES, RECIPIENT, data_key_bytes,
    },
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{EncryptionContext, Input, optional, required},
};

pub struct GenerateDataKey {
    pub key: KeyRef,
    /// 1–1024.
    pub length_bytes: u32,
    pub context: EncryptionContext,
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
        /// The ciphertext.
        ciphertext_blob: Base64 => "CiphertextBlob",
    }
}

impl Action for GenerateDataKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GenerateDataKey",
        group: Group::Crypto,
        class: Class::CryptoSymmetric,
        effect: Effect::Read,
        params: &[
            required(&KEY_REF),
            optional(&DATA_KEY_SPEC),
            optional(&NUMBER_OF_BYTES),
            optional(&ENCRYPTION_CONTEXT),
            optional(&DRY_RUN),
            optional(&RECIPIENT),
        ],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Makes a random data key for encrypting locally: use the plain one, erase it, keep the encrypted one beside the data and have it back by Decrypt.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"), ("KeySpec", "AES_256")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            length_bytes: data_key_bytes(input)?,
            context: input.context(&ENCRYPTION_CONTEXT)?,
        };
        input.optional(&DRY_RUN)?;
        input.optional(&RECIPIENT)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:GenerateDataKey", Target::Key(&self.key))
    }

    fn contexts(&self) -> [Option<&EncryptionContext>; 2] {
        [Some(&self.context), None]
    }
}
