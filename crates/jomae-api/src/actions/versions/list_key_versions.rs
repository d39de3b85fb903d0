//! `ListKeyVersions`: all versions of a key.

use crate::actions::{
    params::{KEY_REF, PAGE_NUMBER, PAGE_SIZE, Page},
    prelude::*,
    versions::create_key_version::KeyVersionRow,
};

request! {
    pub struct ListKeyVersions {
        key: KeyRef = required KEY_REF,
        page: Page = optional PAGE_NUMBER and optional PAGE_SIZE => Page::parse,
    }
}

answer! {
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
    const SHEET: ActionSpec = ActionSpec {
        name: "ListKeyVersions",
        doc: "Lists the versions of a key, newest first.",
        example: &[A_KEY],
        ..ActionSpec::read(Group::Versions)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
