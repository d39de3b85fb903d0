//! `AsymmetricVerify`: check a signature.

use crate::actions::{
    params::{ALGORITHM, DIGEST, DRY_RUN, KEY_REF, KEY_VERSION_ID, SIGNATURE},
    prelude::*,
};

request! {
    pub struct AsymmetricVerify {
        key: KeyRef = required KEY_REF,
        version: KeyVersionId = required KEY_VERSION_ID,
        algorithm: Algorithm = required ALGORITHM,
        digest: Vec<u8> = required DIGEST,
        signature: Vec<u8> = required SIGNATURE,
    }
    also optional DRY_RUN;
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// Whether the signature is genuine.
        value: bool => "Value",
    }
}

impl Action for AsymmetricVerify {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "AsymmetricVerify",
        class: Class::CryptoAsymmetric,
        errors: &[Refusal::OperationUnsupported],
        doc: "Tells whether a signature is genuine. One that is not, malformed ones included, gives Value false and no error.",
        example: &[
            A_KEY,
            A_VERSION,
            ("Algorithm", "RSA_PSS_SHA_256"),
            ("Digest", "ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw="),
            ("Value", "aGVsbG8="),
        ],
        ..ActionSpec::USE_OF_A_KEY
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
