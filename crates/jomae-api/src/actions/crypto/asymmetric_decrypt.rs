//! `AsymmetricDecrypt`: decrypt with a private key.

use crate::actions::{
    params::{ALGORITHM, CIPHERTEXT_BLOB, DRY_RUN, KEY_REF, KEY_VERSION_ID, RECIPIENT},
    prelude::*,
};

request! {
    pub struct AsymmetricDecrypt {
        key: KeyRef = required KEY_REF,
        version: KeyVersionId = required KEY_VERSION_ID,
        algorithm: Algorithm = required ALGORITHM,
        ciphertext: Vec<u8> = required CIPHERTEXT_BLOB,
    }
    also optional RECIPIENT, optional DRY_RUN;
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// The plaintext. A secret.
        plaintext: SecretBase64 => "Plaintext",
    }
}

impl Action for AsymmetricDecrypt {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "AsymmetricDecrypt",
        class: Class::CryptoAsymmetric,
        errors: &[Refusal::CiphertextInvalid, Refusal::OperationUnsupported],
        doc: "Decrypts with the private key of a version. Extension: with ML_KEM_768 the ciphertext is an encapsulation and the answer the shared secret.",
        example: &[A_KEY, A_VERSION, ("Algorithm", "RSAES_OAEP_SHA_256"), ("CiphertextBlob", "aGVsbG8=")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
