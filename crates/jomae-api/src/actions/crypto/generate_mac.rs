//! `GenerateMac`: a message authentication code.

use crate::{
    action::{Access, Action, ActionSpec, Base64, Class, Effect, Group, StateRule, Target},
    actions::params::{ALGORITHM, DRY_RUN, KEY_REF, MESSAGE},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef},
    param::{Input, optional, required},
    spec::Algorithm,
};
use jomae_crypto::secret::SecretBytes;

pub struct GenerateMac {
    pub key: KeyRef,
    pub algorithm: Algorithm,
    pub message: SecretBytes,
}

answer! {
    /// The answer.
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// As in the request.
        algorithm: Algorithm => "Algorithm",
        /// The MAC.
        mac: Base64 => "Mac",
    }
}

impl Action for GenerateMac {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GenerateMac",
        group: Group::Crypto,
        class: Class::CryptoSymmetric,
        effect: Effect::Read,
        params: &[required(&KEY_REF), required(&ALGORITHM), required(&MESSAGE), optional(&DRY_RUN)],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Computes a MAC over a message.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("Algorithm", "HMAC_SHA_256"),
            ("Message", "aGVsbG8="),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            algorithm: input.required(&ALGORITHM)?,
            message: input.required(&MESSAGE)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:GenerateMac", Target::Key(&self.key))
    }
}
