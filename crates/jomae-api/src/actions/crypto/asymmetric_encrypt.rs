//! `AsymmetricEncrypt`: encrypt under a public key.

use crate::actions::{
    params::{ALGORITHM, DRY_RUN, KEY_REF, KEY_VERSION_ID, PLAINTEXT},
    prelude::*,
};

request! {
    pub struct AsymmetricEncrypt {
        key: KeyRef = required KEY_REF,
        version: KeyVersionId = required KEY_VERSION_ID,
        algorithm: Algorithm = required ALGORITHM,
        plaintext: SecretBytes = required PLAINTEXT,
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

impl Action for AsymmetricEncrypt {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "AsymmetricEncrypt",
        class: Class::CryptoAsymmetric,
        errors: &[Refusal::OperationUnsupported],
        doc: "Encrypts under the public key of a version: RSA-OAEP or SM2, as the standards have them. The limits on the plaintext follow from key and algorithm.",
        example: &[A_KEY, A_VERSION, ("Algorithm", "RSAES_OAEP_SHA_256"), ("Plaintext", "aGVsbG8=")],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
