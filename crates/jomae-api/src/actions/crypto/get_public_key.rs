//! `GetPublicKey`: the public key of a version.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::{DRY_RUN, KEY_REF, KEY_VERSION_ID},
    answer::answer,
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{Input, optional, required},
};

pub struct GetPublicKey {
    pub key: KeyRef,
    pub version: KeyVersionId,
}

answer! {
    /// The answer.
    pub struct Output {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// ID of the version.
        key_version_id: KeyVersionId => "KeyVersionId",
        /// PEM, BEGIN PUBLIC KEY.
        public_key: String => "PublicKey",
    }
}

impl Action for GetPublicKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetPublicKey",
        group: Group::Crypto,
        class: Class::CryptoAsymmetric,
        effect: Effect::Read,
        params: &[required(&KEY_REF), required(&KEY_VERSION_ID), optional(&DRY_RUN)],
        states: StateRule {
            enabled: None,
            disabled: None,
            pending_deletion: None,
            pending_import: Some(Refusal::PendingImport),
        },
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::KeyVersionNotFound,
            Refusal::OperationUnsupported,
            Refusal::PendingImport,
        ],
        doc: "Gives the public key of a version as PEM. In every state that has one: what was signed before stays verifiable.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let action = Self { key: input.required(&KEY_REF)?, version: input.required(&KEY_VERSION_ID)? };
        input.optional(&DRY_RUN)?;
        Ok(action)
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:GetPublicKey", Target::Key(&self.key))
    }
}
