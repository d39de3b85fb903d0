//! `VerifyMac`: check a message authentication code.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::{ALGORITHM, DRY_RUN, KEY_REF, MAC, MESSAGE},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef},
    param::{Input, optional, required},
    spec::Algorithm,
};
use jomae_crypto::secret::SecretBytes;

pub struct VerifyMac {
    pub key: KeyRef,
    pub algorithm: Algorithm,
    pub message: SecretBytes,
    pub mac: Vec<u8>,
}

answer! {
    /// The answer.
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// As in the request.
        algorithm: Algorithm => "Algorithm",
        /// Whether the MAC is genuine.
        value: bool => "Value",
    }
}

impl Action for VerifyMac {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "VerifyMac",
        group: Group::Crypto,
        class: Class::CryptoSymmetric,
        effect: Effect::Read,
        params: &[required(&KEY_REF), required(&ALGORITHM), required(&MESSAGE), required(&MAC), optional(&DRY_RUN)],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::OperationUnsupported,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Tells whether a MAC is genuine, in constant time. One that is not gives Value false and no error.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("Algorithm", "HMAC_SHA_256"),
            ("Message", "aGVsbG8="),
            ("Mac", "aGVsbG8="),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self {
            key: input.required(&KEY_REF)?,
            algorithm: input.required(&ALGORITHM)?,
            message: input.required(&MESSAGE)?,
            mac: input.required(&MAC)?,
        };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:VerifyMac", Target::Key(&self.key))
    }
}
