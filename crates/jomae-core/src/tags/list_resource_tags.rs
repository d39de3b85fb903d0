use jomae_api::actions::tags::list_resource_tags::{ListResourceTags, Output, TagRow};

use crate::prelude::*;

impl Handle<ListResourceTags> for Kms {
    async fn handle(&self, _: &Call<'_>, _: &mut Tx<'_>, granted: &Authorized<'_, ListResourceTags>) -> Result<Output> {
        let key = granted.key()?;
        let tag = key
            .record
            .tags
            .iter()
            .map(|(tag_key, tag_value)| TagRow {
                key_id: key.place.id.clone(),
                tag_key: tag_key.clone(),
                tag_value: tag_value.clone(),
            })
            .collect();
        Ok(Output { tags: List(tag) })
    }
}
