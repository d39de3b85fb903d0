//! `ListTagResources`: the tags of several keys.

use crate::actions::{
    prelude::*,
    tags::resource::{self, REGION_ID, RESOURCE_ID, RESOURCE_TYPE, TAG, TagResourceRow},
};

request! {
    pub struct ListTagResources {
        region: RegionId = required REGION_ID and required RESOURCE_TYPE => resource::region,
        /// None: all keys of the region.
        keys: Vec<KeyRef> = optional RESOURCE_ID => resource::keys,
        /// Only keys that have all of these tags; an empty value matches any.
        tags: Tags = optional TAG => resource::tags,
        after: Option<Cursor> = optional NEXT_TOKEN,
    }
}

/// Where a page begins: behind the last key of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub KeyId);

answer! {
    pub struct Output {
        /// The page.
        tag_resources: List<TagResourceRow> => "TagResources",
        /// Where the next page begins; empty at the end.
        next_token: String => "NextToken",
    }
}

param! {
    /// Where to go on.
    NEXT_TOKEN: Cursor = Text "NextToken", "as the page before gave it" => |text| {
        KeyId::new(text).map(Cursor).ok_or(Invalid::Value)
    };
}

impl Action for ListTagResources {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListTagResources",
        doc: text!(
            "Lists tags, about " {limits::TAG_ROWS}
            " a page: of the keys that are named, or of all keys in the region; only of keys with the tags "
            "that are given. Without ResourceId the permission is needed on all keys of the region."
        ),
        example: &[
            ("RegionId", "cn-hangzhou"),
            ("ResourceType", "key"),
            ("ResourceId.1", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
        ],
        ..ActionSpec::read(Group::Tags)
    };

    fn access(&self) -> Access<'_> {
        if self.keys.is_empty() { Self::on(Target::Keys) } else { Self::on_each(&self.keys) }
    }
}
