use jomae_api::actions::tags::untag_resource::UntagResource;

use super::remove_tags;
use crate::prelude::*;

impl Handle<UntagResource> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, UntagResource>) -> Result<Empty> {
        let wanted = granted.action();
        remove_tags(tx, granted.key()?, |key| wanted.tag_keys.iter().any(|gone| gone == key))?;
        Ok(Empty {})
    }
}
