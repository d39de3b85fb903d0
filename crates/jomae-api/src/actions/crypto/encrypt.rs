//! Encrypt: encrypt up to 6 KiB under a key.

use crate::actions::{
    params::{DRY_RUN, ENCRYPTION_CONTEXT, KEY_REF, PLAINTEXT_OR_TEXT},
    prelude::*,
};

request! {
    pub struct Encrypt {
        key: KeyRef = required KEY_REF,
        plaintext: Plaintext = required PLAINTEXT_OR_TEXT,
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

impl Action for Encrypt {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "Encrypt",
        errors: &[Refusal::OperationUnsupported],
        doc: "Encrypts under the primary version of the key. The same plaintext never gives the same ciphertext twice.",
        example: &[A_KEY, ("Plaintext", "aGVsbG8=")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key)).in_context(&self.context)
    }
}
