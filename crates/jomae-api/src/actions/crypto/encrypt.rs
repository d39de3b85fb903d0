//! Encrypt: encrypt up to 6 KiB under a key.

use crate::{
    action::{Access, Action, ActionSpec, Base64, Class, Effect, Group, StateRule, Target},
    actions::params::{DRY_RUN, ENCRYPTION_CONTEXT, KEY_REF, PLAINTEXT_OR_TEXT},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{EncryptionContext, Input, Plaintext, optional, required},
};

pub struct Encrypt {
    pub key: KeyRef,
    pub plaintext: Plaintext,
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
    }
}

impl Action for Encrypt {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "Encrypt",
        group: Group::Crypto,
        class: Class::CryptoSymmetric,
        effect: Effect::Read,
        params: &[required(&KEY_REF), required(&PLAINTEXT_OR_TEXT), optional(&ENCRYPTION_CONTEXT), optional(&DRY_RUN)],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Encrypts under the primary version of the key. The same plaintext never gives the same ciphertext twice.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"), ("Plaintext", "aGVsbG8=")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            plaintext: input.required(&PLAINTEXT_OR_TEXT)?,
            context: input.context(&ENCRYPTION_CONTEXT)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:Encrypt", Target::Key(&self.key))
    }

    fn contexts(&self) -> [Option<&EncryptionContext>; 2] {
        [Some(&self.context), None]
    }
}
