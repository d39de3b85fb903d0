//! `ListAliases`: all names in the region.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::params::{PAGE_NUMBER, PAGE_SIZE, Page},
    error::Refusal,
    names::KeyId,
    param::{Input, optional},
};

pub struct ListAliases {
    pub page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub aliases: AliasList,
    pub total_count: u64,
    pub page_number: u32,
    pub page_size: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasList {
    pub alias: Vec<AliasRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasRow {
    pub alias_name: String,
    pub alias_arn: String,
    pub key_id: KeyId,
}

impl Action for ListAliases {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListAliases",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&PAGE_NUMBER), optional(&PAGE_SIZE)],
        output: &["Aliases", "TotalCount", "PageNumber", "PageSize"],
        states: StateRule::ANY,
        errors: &[],
        doc: "Lists the aliases of the account in the region, by name.",
        example: &[("PageNumber", "1"), ("PageSize", "10")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { page: Page::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:ListAliases", Target::Aliases)
    }
}
