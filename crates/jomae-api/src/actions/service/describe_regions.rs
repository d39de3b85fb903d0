//! `DescribeRegions`: where keys can be.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    error::Refusal,
    names::RegionId,
    param::Input,
};

pub struct DescribeRegions {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub regions: RegionList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegionList {
    pub region: Vec<RegionRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegionRow {
    pub region_id: RegionId,
}

impl Action for DescribeRegions {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "DescribeRegions",
        group: Group::Service,
        class: Class::Management,
        effect: Effect::Read,
        params: &[],
        output: &["Regions"],
        states: StateRule::ANY,
        errors: &[],
        doc: "Lists the regions that this deployment serves. Needs a valid signature and no permission; the only action that is never audited.",
        example: &[],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let _ = input;
        Ok(Self {})
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:DescribeRegions", Target::SignatureOnly)
    }
}
