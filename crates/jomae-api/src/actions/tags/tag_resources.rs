//! `TagResources`: the same tags for several keys.

use crate::actions::{
    prelude::*,
    tags::resource::{self, REGION_ID, RESOURCE_ID, RESOURCE_TYPE, TAG},
};

request! {
    pub struct TagResources {
        region: RegionId = required REGION_ID and required RESOURCE_TYPE => resource::region,
        keys: Vec<KeyRef> = required RESOURCE_ID => resource::required_keys,
        tags: Tags = required TAG => resource::required_tags,
    }
}

impl Action for TagResources {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "TagResources",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::LimitExceeded],
        doc: text!("Adds tags to up to " {limits::TAG_RESOURCES_MAX} " keys, to all of them or to none."),
        example: &[
            ("RegionId", "cn-hangzhou"),
            ("ResourceType", "key"),
            ("ResourceId.1", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("Tag.1.Key", "team"),
            ("Tag.1.Value", "orders"),
        ],
        ..ActionSpec::write(Group::Tags)
    };

    fn access(&self) -> Access<'_> {
        Self::on_each(&self.keys)
    }

    fn request_tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
