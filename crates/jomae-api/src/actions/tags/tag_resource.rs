//! `TagResource`: tags for one key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule, Target},
    actions::{
        params::{KEY_ID_ONLY, TAGS, Tags},
        tags::resource::{CERTIFICATE_ID, SECRET_NAME, tagged_key},
    },
    error::Refusal,
    names::KeyRef,
    param::{Input, optional, required},
};

pub struct TagResource {
    pub key: KeyRef,
    pub tags: Tags,
}

impl Action for TagResource {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "TagResource",
        group: Group::Tags,
        class: Class::Management,
        effect: Effect::Write,
        params: &[required(&TAGS), optional(&KEY_ID_ONLY), optional(&SECRET_NAME), optional(&CERTIFICATE_ID)],
        states: StateRule::not_pending_deletion(Refusal::PendingDeletion),
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound, Refusal::LimitExceeded, Refusal::PendingDeletion],
        doc: "Adds tags to a key; a tag of the same key is overwritten. A key has at most 20.",
        example: &[
            ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd"),
            ("Tags", "[{\"TagKey\":\"team\",\"TagValue\":\"orders\"}]"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let tags = input.required(&TAGS)?;
        Ok(Self { key: tagged_key(input)?, tags })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:TagResource", Target::Key(&self.key))
    }

    fn request_tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
