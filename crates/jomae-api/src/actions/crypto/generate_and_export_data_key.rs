//! `GenerateAndExportDataKey`: a fresh data key, encrypted and under a public key of the caller.

use crate::actions::{
    params::{
        DATA_KEY_SPEC, DRY_RUN, ENCRYPTION_CONTEXT, EXPORT_ALGORITHM, EXPORT_KEY_SPEC, ExportTo, KEY_REF,
        NUMBER_OF_BYTES, PUBLIC_KEY_BLOB, data_key_bytes,
    },
    prelude::*,
};

request! {
    pub struct GenerateAndExportDataKey {
        key: KeyRef = required KEY_REF,
        length_bytes: u32 = optional DATA_KEY_SPEC and optional NUMBER_OF_BYTES => data_key_bytes,
        to: ExportTo =
            required PUBLIC_KEY_BLOB and required EXPORT_KEY_SPEC and required EXPORT_ALGORITHM => ExportTo::parse,
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
        /// The data key, encrypted under the public key of the request.
        exported_data_key: Base64 => "ExportedDataKey",
    }
}

impl Action for GenerateAndExportDataKey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GenerateAndExportDataKey",
        errors: &[Refusal::OperationUnsupported],
        doc: "Makes a random data key and gives it under the key and under the public key that is given, never plain.",
        example: &[
            A_KEY,
            ("PublicKeyBlob", "aGVsbG8="),
            ("WrappingKeySpec", "RSA_2048"),
            ("WrappingAlgorithm", "RSAES_OAEP_SHA_256"),
        ],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key)).in_context(&self.context)
    }
}
