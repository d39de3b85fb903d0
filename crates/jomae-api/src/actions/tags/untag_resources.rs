//! `UntagResources`: fewer tags for several keys.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule},
    actions::tags::resource::{ALL, REGION_ID, RESOURCE_ID, RESOURCE_TYPE, TAG_KEY, each_once},
    error::Refusal,
    limits,
    names::{KeyRef, RegionId},
    param::{Input, optional, required},
};

pub struct UntagResources {
    pub region: RegionId,
    pub keys: Vec<KeyRef>,
    pub remove: Removal,
}

/// Which tags go.
pub enum Removal {
    Keys(Vec<String>),
    All,
}

impl Action for UntagResources {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "UntagResources",
        group: Group::Tags,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&REGION_ID),
            required(&RESOURCE_TYPE),
            required(&RESOURCE_ID),
            optional(&TAG_KEY),
            optional(&ALL),
        ],
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::KeyNotFound, Refusal::PendingDeletion],
        doc: "Removes tags from up to 50 keys. Tags that a key does not have are ignored.",
        example: &[
            ("RegionId", "cn-hangzhou"),
            ("ResourceType", "key"),
            ("ResourceId.1", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("TagKey.1", "team"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let region = input.required(&REGION_ID)?;
        input.required(&RESOURCE_TYPE)?;
        let keys = each_once(input.required_list(&RESOURCE_ID)?)?;
        let tag_keys = input.list(&TAG_KEY)?;
        let all = input.optional(&ALL)?.unwrap_or(false);
        let remove = match tag_keys.len() {
            0 if all => Removal::All,
            0 => return Err(Refusal::ParameterMissing("TagKey")),
            count if count > limits::TAGS_MAX => return Err(Refusal::ParameterInvalid("TagKey")),
            _ => Removal::Keys(tag_keys),
        };
        Ok(Self { region, keys, remove })
    }

    fn access(&self) -> Access<'_> {
        Access::on_each("kms:UntagResources", &self.keys)
    }
}
