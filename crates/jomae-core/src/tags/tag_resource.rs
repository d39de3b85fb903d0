use jomae_api::actions::tags::tag_resource::TagResource;

use super::add_tags;
use crate::prelude::*;

impl Handle<TagResource> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, TagResource>) -> Result<Empty> {
        let wanted = granted.action();
        add_tags(tx, granted.key()?, &wanted.tags)?;
        Ok(Empty {})
    }
}
