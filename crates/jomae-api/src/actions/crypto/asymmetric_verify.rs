//! `AsymmetricVerify`: check a signature.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::{ALGORITHM, DIGEST, DRY_RUN, KEY_REF, KEY_VERSION_ID, SIGNATURE},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{Input, optional, required},
    spec::Algorithm,
};

pub struct AsymmetricVerify {
    pub key: KeyRef,
    pub version: KeyVersionId,
    pub algorithm: Algorithm,
    pub digest: Vec<u8>,
    pub signature: Vec<u8>,
}

answer! {
    /// The answer.
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
    const SPEC: ActionSpec = ActionSpec {
        name: "AsymmetricVerify",
        group: Group::Crypto,
        class: Class::CryptoAsymmetric,
        effect: Effect::Read,
        params: &[
            required(&KEY_REF),
            required(&KEY_VERSION_ID),
            required(&ALGORITHM),
            required(&DIGEST),
            required(&SIGNATURE),
            optional(&DRY_RUN),
        ],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::KeyVersionNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Tells whether a signature is genuine. One that is not, malformed ones included, gives Value false and no error.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1"),
            ("Algorithm", "RSA_PSS_SHA_256"),
            ("Digest", "ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw="),
            ("Value", "aGVsbG8="),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            version: input.required(&KEY_VERSION_ID)?,
            algorithm: input.required(&ALGORITHM)?,
            digest: input.required(&DIGEST)?,
            signature: input.required(&SIGNATURE)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:AsymmetricVerify", Target::Key(&self.key))
    }
}
