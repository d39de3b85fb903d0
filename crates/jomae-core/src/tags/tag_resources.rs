use jomae_api::actions::tags::tag_resources::TagResources;

use super::{add_tags, expect_region};
use crate::prelude::*;

impl Handle<TagResources> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, TagResources>) -> Result<Empty> {
        let wanted = granted.action();
        expect_region(call, &wanted.region)?;
        for key in granted.keys() {
            add_tags(tx, key, &wanted.tags)?;
        }
        Ok(Empty {})
    }
}
