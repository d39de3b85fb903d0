//! `AsymmetricSign`: sign a digest.

use crate::actions::{
    params::{ALGORITHM, DIGEST, DRY_RUN, KEY_REF, KEY_VERSION_ID},
    prelude::*,
};

request! {
    pub struct AsymmetricSign {
        key: KeyRef = required KEY_REF,
        version: KeyVersionId = required KEY_VERSION_ID,
        algorithm: Algorithm = required ALGORITHM,
        digest: Vec<u8> = required DIGEST,
    }
    also optional DRY_RUN;
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// The signature.
        value: Base64 => "Value",
    }
}

impl Action for AsymmetricSign {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "AsymmetricSign",
        class: Class::CryptoAsymmetric,
        errors: &[Refusal::OperationUnsupported],
        doc: "Signs a digest that the caller has made. ECDSA and SM2 signatures are DER.",
        example: &[
            A_KEY,
            A_VERSION,
            ("Algorithm", "RSA_PSS_SHA_256"),
            ("Digest", "ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw="),
        ],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
