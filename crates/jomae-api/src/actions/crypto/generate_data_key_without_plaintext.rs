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
    const SHEET: ActionSpec = ActionSpec {
        name: "GenerateDataKeyWithoutPlaintext",
        errors: &[Refusal::OperationUnsupported],
        doc: "As GenerateDataKey, for a party that stores data keys but must not see them.",
        example: &[A_KEY, ("KeySpec", "AES_256")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key)).in_context(&self.context)
    }
}
