use jomae_api::{action::Empty, actions::tags::tag_resources::TagResources};

use super::{add_tags, expect_region};
use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<TagResources> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, TagResources>,
    ) -> Result<Empty, Error> {
        let wanted = granted.action();
        expect_region(call, &wanted.region)?;
        for key in granted.keys() {
            add_tags(tx, key, &wanted.tags)?;
        }
        Ok(Empty {})
    }
}
