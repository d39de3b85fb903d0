//! `ListAliases`: all names in the region.

use crate::actions::{
    params::{PAGE_NUMBER, PAGE_SIZE, Page},
    prelude::*,
};

request! {
    pub struct ListAliases {
        page: Page = optional PAGE_NUMBER and optional PAGE_SIZE => Page::parse,
    }
}

answer! {
    pub struct Output {
        /// The page.
        aliases: List<AliasRow> => "Aliases",
        /// Rows of all pages.
        total_count: u64 => "TotalCount",
        /// As in the request.
        page_number: u32 => "PageNumber",
        /// As in the request.
        page_size: u32 => "PageSize",
    }

    pub struct AliasRow as "Alias" {
        /// The alias, with its prefix.
        alias_name: String => "AliasName",
        /// Full name of the alias.
        alias_arn: String => "AliasArn",
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
    }
}

impl Action for ListAliases {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListAliases",
        doc: "Lists the aliases of the account in the region, by name.",
        example: &[("PageNumber", "1"), ("PageSize", "10")],
        ..ActionSpec::read(Group::Aliases)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Aliases)
    }
}
