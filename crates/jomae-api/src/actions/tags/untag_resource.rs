//! `UntagResource`: fewer tags for one key.

use crate::actions::{
    params::{KEY_ID_ONLY, valid_tag},
    prelude::*,
    tags::resource::{CERTIFICATE_ID, SECRET_NAME, tagged_key},
};

request! {
    pub struct UntagResource {
        tag_keys: Vec<String> = required TAG_KEYS,
        key: KeyRef = optional KEY_ID_ONLY and optional SECRET_NAME and optional CERTIFICATE_ID => tagged_key,
    }
}

param! {
    /// Keys of the tags to remove.
    TAG_KEYS: Vec<String> = Json "TagKeys", text!("a JSON array of strings, at most " {limits::TAGS_MAX}), public =>
        |text| {
            let keys: Vec<String> = serde_json::from_str(text).map_err(|_| Invalid::Value)?;
            let fits = keys.len() <= limits::TAGS_MAX && keys.iter().all(|key| valid_tag(key, ""));
            if fits { Ok(keys) } else { Err(Invalid::Value) }
        };
}

impl Action for UntagResource {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UntagResource",
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        doc: "Removes tags from a key. Tags that it does not have are ignored.",
        example: &[A_KEY, ("TagKeys", "[\"team\"]")],
        ..ActionSpec::write(Group::Tags)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
