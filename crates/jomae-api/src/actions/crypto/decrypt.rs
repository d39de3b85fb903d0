//! Decrypt: read what Encrypt or `GenerateDataKey` made.

use crate::actions::{
    params::{CIPHERTEXT_BLOB, Ciphertext, DRY_RUN, ENCRYPTION_CONTEXT, RECIPIENT},
    prelude::*,
};

request! {
    pub struct Decrypt {
        ciphertext: Ciphertext = required CIPHERTEXT_BLOB => Ciphertext::parse,
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
        plaintext: Plaintext => "Plaintext",
    }
}

impl Action for Decrypt {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "Decrypt",
        errors: &[Refusal::CiphertextInvalid],
        doc: "Decrypts a ciphertext blob. The blob names its key; a KeyId that a client sends is ignored. A damaged blob and a wrong EncryptionContext are the same refusal. Plaintext is Base64, or the text that Encrypt was given as it was.",
        example: &[A_CIPHERTEXT],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::CiphertextOf(&self.ciphertext.version)).in_context(&self.context)
    }
}
