//! `TagResource`: tags for one key.

use crate::actions::{
    params::{KEY_ID_ONLY, TAGS},
    prelude::*,
    tags::resource::{CERTIFICATE_ID, SECRET_NAME, tagged_key},
};

request! {
    pub struct TagResource {
        tags: Tags = required TAGS,
        key: KeyRef = optional KEY_ID_ONLY and optional SECRET_NAME and optional CERTIFICATE_ID => tagged_key,
    }
}

impl Action for TagResource {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "TagResource",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::LimitExceeded],
        doc: text!(
            "Adds tags to a key; a tag of the same key is overwritten. A key has at most " {limits::TAGS_MAX}
            "."
        ),
        example: &[A_KEY, ("Tags", "[{\"TagKey\":\"team\",\"TagValue\":\"orders\"}]")],
        ..ActionSpec::write(Group::Tags)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }

    fn request_tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
