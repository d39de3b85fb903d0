//! `ListKeyVersions`: all versions of a key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::{
        params::{KEY_REF, PAGE_NUMBER, PAGE_SIZE, Page},
        versions::create_key_version::KeyVersionRow,
    },
    answer::{List, answer},
    error::Refusal,
    names::KeyRef,
    param::{Input, optional, required},
};

pub struct ListKeyVersions {
    pub key: KeyRef,
    pub page: Page,
}

answer! {
    /// The answer.
    pub struct Output {
        /// The page.
        key_versions: List<KeyVersionRow> => "KeyVersions",
        /// Rows of all pages.
        total_count: u64 => "TotalCount",
        /// As in the request.
        page_number: u32 => "PageNumber",
        /// As in the request.
        page_size: u32 => "PageSize",
    }
}

impl Action for ListKeyVersions {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListKeyVersions",
        group: Group::Versions,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&KEY_REF), optional(&PAGE_NUMBER), optional(&PAGE_SIZE)],
        states: StateRule::ANY,
        errors: &[Refusal::KeyNotFound, Refusal::AliasNotFound],
        doc: "Lists the versions of a key, newest first.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_REF)?, page: Page::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:ListKeyVersions", Target::Key(&self.key))
    }
}
