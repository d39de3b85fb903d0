//! `DescribeRegions`: where keys can be.

use crate::actions::prelude::*;

request! {
    pub struct DescribeRegions {}
}

answer! {
    pub struct Output {
        /// The regions.
        regions: List<RegionRow> => "Regions",
    }

    pub struct RegionRow as "Region" {
        /// Name of the region.
        region_id: RegionId => "RegionId",
    }
}

impl Action for DescribeRegions {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "DescribeRegions",
        recorded: false,
        doc: "Lists the regions that this deployment serves. Needs a valid signature and no permission; the only action that is never audited.",
        ..ActionSpec::read(Group::Service)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::SignatureOnly)
    }
}
