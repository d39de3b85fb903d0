//! `GenerateAndExportDataKey`: a fresh data key, encrypted and under a public key of the caller.

use crate::{
    action::{Access, Action, ActionSpec, Base64, Class, Effect, Group, StateRule, Target},
    actions::params::{
        DATA_KEY_SPEC, DRY_RUN, ENCRYPTION_CONTEXT, EXPORT_ALGORITHM, EXPORT_KEY_SPEC, ExportTo, KEY_REF,
        NUMBER_OF_BYTES, PUBLIC_KEY_BLOB, data_key_bytes,
    },
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{EncryptionContext, Input, optional, required},
};

pub struct GenerateAndExportDataKey {
    pub key: KeyRef,
    pub length_bytes: u32,
    pub to: ExportTo,
    pub context: EncryptionContext,
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
        /// The data key, encrypted under the public key of the request.
        exported_data_key: Base64 => "ExportedDataKey",
    }
}

impl Action for GenerateAndExportDataKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GenerateAndExportDataKey",
        group: Group::Crypto,
        class: Class::CryptoSymmetric,
        effect: Effect::Read,
        params: &[
            required(&KEY_REF),
            optional(&DATA_KEY_SPEC),
            optional(&NUMBER_OF_BYTES),
            required(&PUBLIC_KEY_BLOB),
            required(&EXPORT_KEY_SPEC),
            required(&EXPORT_ALGORITHM),
            optional(&ENCRYPTION_CONTEXT),
            optional(&DRY_RUN),
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
        doc: "Makes a random data key and gives it under the key and under the public key that is given, never plain.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("PublicKeyBlob", "aGVsbG8="),
            ("WrappingKeySpec", "RSA_2048"),
            ("WrappingAlgorithm", "RSAES_OAEP_SHA_256"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            length_bytes: data_key_bytes(input)?,
            to: ExportTo::parse(input)?,
            context: input.context(&ENCRYPTION_CONTEXT)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:GenerateAndExportDataKey", Target::Key(&self.key))
    }

    fn contexts(&self) -> [Option<&EncryptionContext>; 2] {
        [Some(&self.context), None]
    }
}
