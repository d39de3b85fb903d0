use jomae_api::actions::tags::untag_resources::{Removal, UntagResources};

use super::{expect_region, remove_tags};
use crate::prelude::*;

impl Handle<UntagResources> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UntagResources>,
    ) -> Result<Empty> {
        let wanted = granted.action();
        expect_region(call, &wanted.region)?;
        for key in granted.keys() {
            remove_tags(tx, key, |tag| match &wanted.remove {
                Removal::All => true,
                Removal::Keys(gone) => gone.iter().any(|gone| gone == tag),
            })?;
        }
        Ok(Empty {})
    }
}
