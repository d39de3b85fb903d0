use jomae_api::actions::service::describe_regions::{DescribeRegions, Output, RegionRow};

use crate::prelude::*;

impl Handle<DescribeRegions> for Kms {
    async fn handle(&self, _: &Call<'_>, _: &mut Tx<'_>, _: &Authorized<'_, DescribeRegions>) -> Result<Output> {
        let region = self.regions.iter().cloned().map(|region_id| RegionRow { region_id }).collect();
        Ok(Output { regions: List(region) })
    }
}
