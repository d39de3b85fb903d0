//! `DescribeKey`: what is known of a key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::{
        metadata::{KeyMetadata, UsageStatistics},
        params::KEY_REF,
    },
    answer::answer,
    error::Refusal,
    names::KeyRef,
    param::{Input, required},
};

pub struct DescribeKey {
    pub key: KeyRef,
}

answer! {
    /// The answer.
    pub struct Output {
        /// The key.
        key_metadata: KeyMetadata => "KeyMetadata",
        /// What key or version has been used for, a few seconds late; absent if for nothing yet.
        usage_statistics: Option<UsageStatistics> => extension "UsageStatistics",
    }
}

impl Action for DescribeKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "DescribeKey",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&KEY_REF)],
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
