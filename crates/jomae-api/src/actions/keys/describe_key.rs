//! `DescribeKey`: what is known of a key.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::{
        metadata::{KeyMetadata, UsageStatistics},
        params::KEY_REF,
    },
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct DescribeKey {
    pub key: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub key_metadata: KeyMetadata,
    /// Extension; absent for a key that was never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_statistics: Option<UsageStatistics>,
}

impl Action for DescribeKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "DescribeKey",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&KEY_REF)],
        output: &["KeyMetadata", "UsageStatistics"],
        states: StateRule::ANY,
        errors: &[Refusal::KeyNotFound, Refusal::AliasNotFound],
        doc: "Tells state, dates, origin and protection of a key, in any state.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_REF)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DescribeKey", Target::Key(&self.key))
    }
}
