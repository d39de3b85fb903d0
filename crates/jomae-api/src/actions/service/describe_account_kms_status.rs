//! `DescribeAccountKmsStatus`: whether the account may use the service.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    error::Refusal,
    param::Input,
};

pub struct DescribeAccountKmsStatus {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    /// Always `Enabled`: a self-hosted service knows no contracts and no debts.
    pub account_status: &'static str,
}

impl Action for DescribeAccountKmsStatus {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "DescribeAccountKmsStatus",
        group: Group::Service,
        class: Class::Management,
        effect: Effect::Read,
        params: &[],
        output: &["AccountStatus"],
        states: StateRule::ANY,
        errors: &[],
        doc: "Tells the state of the service for the account.",
        example: &[],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let _ = input;
        Ok(Self {})
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DescribeAccountKmsStatus", Target::Service)
    }
}
