//! `TagResources`: the same tags for several keys.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule},
    actions::{
        params::Tags,
        tags::resource::{REGION_ID, RESOURCE_ID, RESOURCE_TYPE, TAG, each_once, tags_of},
    },
    error::Refusal,
    names::{KeyRef, RegionId},
    param::{Input, required},
};

pub struct TagResources {
    pub region: RegionId,
    pub keys: Vec<KeyRef>,
    pub tags: Tags,
}

impl Action for TagResources {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "TagResources",
        group: Group::Tags,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&REGION_ID), required(&RESOURCE_TYPE), required(&RESOURCE_ID), required(&TAG)],
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::KeyNotFound, Refusal::LimitExceeded, Refusal::PendingDeletion],
        doc: "Adds tags to up to 50 keys, to all of them or to none.",
        example: &[
            ("RegionId", "cn-hangzhou"),
            ("ResourceType", "key"),
            ("ResourceId.1", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("Tag.1.Key", "team"),
            ("Tag.1.Value", "orders"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let region = input.required(&REGION_ID)?;
        input.required(&RESOURCE_TYPE)?;
        let keys = each_once(input.required_list(&RESOURCE_ID)?)?;
        let tags = tags_of(input.required_pairs(&TAG)?)?;
        Ok(Self { region, keys, tags })
    }

    fn access(&self) -> Access<'_> {
        Access::on_each("kms:TagResources", &self.keys)
    }

    fn request_tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
