//! `CreateKeyVersion`: a new version of a key.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::{CLIENT_TOKEN, KEY_REF},
    error::Refusal,
    names::{KeyId, KeyRef, KeyVersionId},
    param::{Input, optional, required},
    time::Timestamp,
};

pub struct CreateKeyVersion {
    pub key: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub key_version: KeyVersionRow,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyVersionRow {
    pub key_id: KeyId,
    pub key_version_id: KeyVersionId,
    pub creation_date: Timestamp,
}

impl Action for CreateKeyVersion {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateKeyVersion",
        group: Group::Versions,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&KEY_REF), optional(&CLIENT_TOKEN)],
        output: &["KeyVersion"],
        states: StateRule::ENABLED_ONLY,
        errors: &[
            Refusal::KeyNotFound,
            Refusal::AliasNotFound,
            Refusal::OriginUnsupported,
            Refusal::OperationUnsupported,
            Refusal::LimitExceeded,
            Refusal::Disabled,
            Refusal::PendingDeletion,
            Refusal::PendingImport,
        ],
        doc: "Makes a new version. That of a symmetric key becomes the primary one, which encrypts from now on; older versions decrypt for ever. An asymmetric key has at most 50 versions, which callers name. Keys with imported material and MAC keys have one version for life.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let key = input.required(&KEY_REF)?;
        input.optional(&CLIENT_TOKEN)?;
        Ok(Self { key })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:CreateKeyVersion", Target::Key(&self.key))
    }
}
