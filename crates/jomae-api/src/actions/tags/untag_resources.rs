//! `UntagResources`: fewer tags for several keys.

use crate::actions::{
    prelude::*,
    tags::resource::{self, ALL, REGION_ID, RESOURCE_ID, RESOURCE_TYPE, TAG_KEY},
};

request! {
    pub struct UntagResources {
        region: RegionId = required REGION_ID and required RESOURCE_TYPE => resource::region,
        keys: Vec<KeyRef> = required RESOURCE_ID => resource::required_keys,
        remove: Removal = optional TAG_KEY and optional ALL => Removal::parse,
    }
}

/// Which tags go.
pub enum Removal {
    /// Those of these keys.
    Keys(Vec<String>),
    /// Every tag.
    All,
}

impl Removal {
    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let keys = input.list(&TAG_KEY)?;
        let all = input.optional(&ALL)?.unwrap_or(false);
        match keys.len() {
            0 if all => Ok(Self::All),
            0 => Err(Refusal::ParameterMissing("TagKey")),
            count if count > limits::TAGS_MAX => Err(Refusal::ParameterInvalid("TagKey")),
            _ => Ok(Self::Keys(keys)),
        }
    }
}

impl Action for UntagResources {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UntagResources",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        doc: text!(
            "Removes tags from up to " {limits::TAG_RESOURCES_MAX}
            " keys. Tags that a key does not have are ignored."
        ),
        example: &[
            ("RegionId", "cn-hangzhou"),
            ("ResourceType", "key"),
            ("ResourceId.1", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("TagKey.1", "team"),
        ],
        ..ActionSpec::write(Group::Tags)
    };

    fn access(&self) -> Access<'_> {
        Self::on_each(&self.keys)
    }
}
