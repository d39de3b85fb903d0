//! `GetParametersForImport`: a public key and a token for bringing key material.

use crate::{
    actions::{params::KEY_ID_ONLY, prelude::*},
    spec::{WRAPPING_KEYS, WrappingAlgorithm},
};

/// A request of the action `GetParametersForImport`.
pub struct GetParametersForImport {
    /// The key that waits for material.
    pub key: KeyRef,
    /// The kind of the wrapping key: one of [`WRAPPING_KEYS`].
    pub wrapping_spec: KeySpec,
    /// How the material will be wrapped; fits the wrapping key.
    pub algorithm: WrappingAlgorithm,
}

answer! {
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// Goes back with the material.
        import_token: Base64 => "ImportToken",
        /// DER SubjectPublicKeyInfo, under which to wrap.
        public_key: Base64 => "PublicKey",
        /// Until when token and public key are good.
        token_expire_time: Timestamp => "TokenExpireTime",
    }
}

param! {
    /// The kind of the wrapping key.
    WRAPPING_KEY_SPEC: KeySpec = Text "WrappingKeySpec", "RSA_2048 or EC_SM2; extension: RSA_4096", public =>
        |text| WRAPPING_KEYS.iter().map(|(spec, _)| *spec).find(|spec| spec.as_str() == text).ok_or(Invalid::Value);

    /// How the material will be wrapped. Private keys need one of the extensions.
    WRAPPING_ALGORITHM: WrappingAlgorithm = Text "WrappingAlgorithm",
        "with RSA: RSAES_PKCS1_V1_5, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256; extensions: RSA_AES_KEY_WRAP_SHA_1, RSA_AES_KEY_WRAP_SHA_256; with EC_SM2: SM2PKE",
        public => |text| WrappingAlgorithm::from_wire(text).ok_or(Invalid::Value);
}

impl Parameters for GetParametersForImport {
    const PARAMS: &[Use] = &[required(&KEY_ID_ONLY), required(&WRAPPING_KEY_SPEC), required(&WRAPPING_ALGORITHM)];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let key = input.required(&KEY_ID_ONLY)?;
        let wrapping_spec = input.required(&WRAPPING_KEY_SPEC)?;
        let algorithm = input.required(&WRAPPING_ALGORITHM)?;
        if !algorithm.fits(wrapping_spec) {
            return Err(Refusal::ParameterInvalid("WrappingAlgorithm"));
        }
        Ok(Self { key, wrapping_spec, algorithm })
    }
}

impl Action for GetParametersForImport {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetParametersForImport",
        errors: &[Refusal::OriginUnsupported],
        doc: text!(
            "Gives a fresh public key under which to wrap key material, and a token that belongs to it, to "
            "the key and to the algorithm. Both are good for " {limits::IMPORT_TOKEN_SECS / 3600} " hours."
        ),
        example: &[A_KEY, ("WrappingKeySpec", "RSA_2048"), ("WrappingAlgorithm", "RSAES_OAEP_SHA_256")],
        ..ActionSpec::read(Group::Import)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
