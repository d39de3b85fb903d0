//! `ListAliasesByKeyId`: all names of a key.

use crate::actions::{
    aliases::list_aliases::Output,
    params::{KEY_ID_ONLY, PAGE_NUMBER, PAGE_SIZE, Page},
    prelude::*,
};

request! {
    pub struct ListAliasesByKeyId {
        key: KeyRef = required KEY_ID_ONLY,
        page: Page = optional PAGE_NUMBER and optional PAGE_SIZE => Page::parse,
    }
}

impl Action for ListAliasesByKeyId {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListAliasesByKeyId",
        doc: "Lists the aliases that point to a key, by name.",
        example: &[A_KEY],
        ..ActionSpec::read(Group::Aliases)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Key(&self.key))
    }
}
