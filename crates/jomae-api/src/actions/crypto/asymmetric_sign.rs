//! `AsymmetricSign`: sign a digest.

use crate::{
    action::{Access, Action, ActionSpec, Base64, Class, Effect, Group, StateRule, Target},
    actions::params::{ALGORITHM, DIGEST, DRY_RUN, KEY_REF, KEY_VERSION_ID},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{Input, optional, required},
    spec::Algorithm,
};

pub struct AsymmetricSign {
    pub key: KeyRef,
    pub version: KeyVersionId,
    pub algorithm: Algorithm,
    pub digest: Vec<u8>,
}

answer! {
    /// The answer.
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
    const SPEC: ActionSpec = ActionSpec {
        name: "AsymmetricSign",
        group: Group::Crypto,
        class: Class::CryptoAsymmetric,
        effect: Effect::Read,
        params: &[
            required(&KEY_REF),
            required(&KEY_VERSION_ID),
            required(&ALGORITHM),
            required(&DIGEST),
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
        doc: "Signs a digest that the caller has made. ECDSA and SM2 signatures are DER.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1"),
            ("Algorithm", "RSA_PSS_SHA_256"),
            ("Digest", "ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw="),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            version: input.required(&KEY_VERSION_ID)?,
            algorithm: input.required(&ALGORITHM)?,
            digest: input.required(&DIGEST)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:AsymmetricSign", Target::Key(&self.key))
    }
}
