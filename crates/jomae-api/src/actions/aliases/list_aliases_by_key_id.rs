//! `ListAliasesByKeyId`: all names of a key.

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::{
        aliases::list_aliases::Output,
        params::{KEY_ID_ONLY, PAGE_NUMBER, PAGE_SIZE, Page},
    },
    error::Refusal,
    names::KeyRef,
    param::{Input, optional, required},
};

pub struct ListAliasesByKeyId {
    pub key: KeyRef,
    pub page: Page,
}

impl Action for ListAliasesByKeyId {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListAliasesByKeyId",
        group: Group::Aliases,
        class: Class::Management,
        effect: Effect::Read,
        params: &[required(&KEY_ID_ONLY), optional(&PAGE_NUMBER), optional(&PAGE_SIZE)],
        states: StateRule::ANY,
        errors: &[Refusal::AliasUnsupported, Refusal::KeyNotFound],
        doc: "Lists the aliases that point to a key, by name.",
        example: &[("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: input.required(&KEY_ID_ONLY)?, page: Page::parse(input)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:ListAliasesByKeyId", Target::Key(&self.key))
    }
}
