use jomae_api::{
    action::Empty,
    actions::tags::untag_resources::{Removal, UntagResources},
};

use super::{expect_region, remove_tags};
use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<UntagResources> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UntagResources>,
    ) -> Result<Empty, Error> {
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
