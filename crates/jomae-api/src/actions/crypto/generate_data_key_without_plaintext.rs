//! `GenerateDataKeyWithoutPlaintext`: a fresh data key, encrypted only.

use crate::actions::{
    params::{DATA_KEY_SPEC, DRY_RUN, ENCRYPTION_CONTEXT, KEY_REF, NUMBER_OF_BYTES, data_key_bytes},
    prelude::*,
};

request! {
    pub struct GenerateDataKeyWithoutPlaintext {
        key: KeyRef = required KEY_REF,
        /// 1–1024.
        length_bytes: u32 = optional DATA_KEY_SPEC and optional NUMBER_OF_BYTES => data_key_bytes,
        context: EncryptionContext = context ENCRYPTION_CONTEXT,
    }
    also optional DRY_RUN;
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

impl Action for GenerateDataKeyWithoutPlaintext {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GenerateDataKeyWithoutPlaintext",
        group: Group::Crypto,
        class: Class::CryptoSymmetric,
        effect: Effect::Read,
        params: Self::PARAMS,
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "As GenerateDataKey, for a party that stores data keys but must not see them.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"), ("KeySpec", "AES_256")],
    };

    fn access(&self) -> Access<'_> {
        Access::one("kms:GenerateDataKeyWithoutPlaintext", Target::Key(&self.key))
    }

    fn contexts(&self) -> [Option<&EncryptionContext>; 2] {
        [Some(&self.context), None]
    }
}
