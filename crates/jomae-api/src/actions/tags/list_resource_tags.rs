//! `ListResourceTags`: the tags of one key.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::KEY_ID_ONLY,
    error::Refusal,
    names::{KeyId, KeyRef},
    param::{Input, required},
};

pub struct ListResourceTags {
    pub key: KeyRef,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub tags: TagList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagList {
    pub tag: Vec<TagRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagRow {
    pub key_id: KeyId,
    pub tag_key: String,
    pub tag_value: String,
}

impl Action for ListResourceTags {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListResourceTags",
        group: Group::Tags,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&KEY_ID_ONLY)],
        output: &["Tags"],
        states: StateRule::ANY,
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound],
        doc: "Lists the tags of a key, by key.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:ListResourceTags", Target::Key(&self.key))
    }
}
