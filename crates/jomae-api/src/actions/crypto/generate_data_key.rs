//! `GenerateDataKey`: a fresh data key, plain and encrypted.

use crate::actions::{
    params::{DATA_KEY_SPEC, DRY_RUN, ENCRYPTION_CONTEXT, KEY_REF, NUMBER_OF_BYTES, RECIPIENT, data_key_bytes},
    prelude::*,
};

request! {
    pub struct GenerateDataKey {
        key: KeyRef = required KEY_REF,
        /// 1–1024.
        length_bytes: u32 = optional DATA_KEY_SPEC and optional NUMBER_OF_BYTES => data_key_bytes,
        context: EncryptionContext = context ENCRYPTION_CONTEXT,
    }
    also optional DRY_RUN, optional RECIPIENT;
}

answer! {
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
    const SHEET: ActionSpec = ActionSpec {
        name: "GenerateDataKey",
        errors: &[Refusal::OperationUnsupported],
        doc: "Makes a random data key for encrypting locally: use the plain one, erase it, keep the encrypted one beside the data and have it back by Decrypt.",
        example: &[A_KEY, ("KeySpec", "AES_256")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key)).in_context(&self.context)
    }
}
