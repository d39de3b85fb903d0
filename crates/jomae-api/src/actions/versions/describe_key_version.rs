//! `DescribeKeyVersion`: when a version was made.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::{
        metadata::UsageStatistics,
        params::{KEY_REF, KEY_VERSION_ID},
        versions::create_key_version::KeyVersionRow,
    },
    answer::answer,
    error::Refusal,
    names::{KeyRef, KeyVersionId},
    param::{Input, required},
};

pub struct DescribeKeyVersion {
    pub key: KeyRef,
    pub version: KeyVersionId,
}

answer! {
    /// The answer.
    pub struct Output {
        /// The version.
        key_version: KeyVersionRow => "KeyVersion",
        /// What key or version has been used for, a few seconds late; absent if for nothing yet.
        usage_statistics: Option<UsageStatistics> => extension "UsageStatistics",
    }
}

impl Action for DescribeKeyVersion {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "DescribeKeyVersion",
        group: Group::Versions,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&KEY_REF), required(&KEY_VERSION_ID)],
        states: StateRule::ANY,
        errors: &[Refusal::KeyNotFound, Refusal::AliasNotFound, Refusal::KeyVersionNotFound],
        doc: "Tells of one version of a key.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_REF)?, version: input.required(&KEY_VERSION_ID)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DescribeKeyVersion", Target::Key(&self.key))
    }
}
