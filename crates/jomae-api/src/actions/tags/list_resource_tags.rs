//! `ListResourceTags`: the tags of one key.

use crate::actions::{params::KEY_ID_ONLY, prelude::*};

request! {
    pub struct ListResourceTags {
        key: KeyRef = required KEY_ID_ONLY,
    }
}

answer! {
    pub struct Output {
        /// The tags.
        tags: List<TagRow> => "Tags",
    }

    pub struct TagRow as "Tag" {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// Key of the tag.
        tag_key: String => "TagKey",
        /// Value of the tag.
        tag_value: String => "TagValue",
    }
}

impl Action for ListResourceTags {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListResourceTags",
        doc: "Lists the tags of a key, by key.",
        example: &[A_KEY],
        ..ActionSpec::read(Group::Tags)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
