//! `ExportDataKey`: an encrypted data key, under a public key of the caller.

use crate::actions::{
    params::{
        CIPHERTEXT_BLOB, Ciphertext, DRY_RUN, ENCRYPTION_CONTEXT, EXPORT_ALGORITHM, EXPORT_KEY_SPEC, ExportTo,
        PUBLIC_KEY_BLOB,
    },
    prelude::*,
};

/// A request of the action `ExportDataKey`.
pub struct ExportDataKey {
    /// The data key, under a symmetric key.
    pub ciphertext: Ciphertext,
    /// Under what it leaves.
    pub to: ExportTo,
    /// With which it was encrypted.
    pub context: EncryptionContext,
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// The data key, encrypted under the public key of the request.
        exported_data_key: Base64 => "ExportedDataKey",
    }
}

impl Parameters for ExportDataKey {
    const PARAMS: &[Use] = &[
        required(&CIPHERTEXT_BLOB),
        required(&PUBLIC_KEY_BLOB),
        required(&EXPORT_KEY_SPEC),
        required(&EXPORT_ALGORITHM),
        optional(&ENCRYPTION_CONTEXT),
        optional(&DRY_RUN),
    ];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let ciphertext = input.required(&CIPHERTEXT_BLOB)?;
        let to = ExportTo::parse(input)?;
        let context = input.context(&ENCRYPTION_CONTEXT)?;
        input.optional(&DRY_RUN)?;
        Ok(Self { ciphertext: Ciphertext::of(ciphertext)?, to, context })
    }
}

impl Action for ExportDataKey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ExportDataKey",
        errors: &[Refusal::CiphertextInvalid],
        doc: "Decrypts a data key and encrypts it under the public key that is given. The plain key leaves the service in no other form.",
        example: &[
            A_CIPHERTEXT,
            ("PublicKeyBlob", "aGVsbG8="),
            ("WrappingKeySpec", "RSA_2048"),
            ("WrappingAlgorithm", "RSAES_OAEP_SHA_256"),
        ],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::CiphertextOf(&self.ciphertext.version)).in_context(&self.context)
    }
}
