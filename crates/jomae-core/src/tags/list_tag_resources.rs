use jomae_api::{
    actions::{
        params::Tags,
        tags::{
            list_tag_resources::{Cursor, ListTagResources, Output},
            resource::TagResourceRow,
        },
    },
    names::KeyId,
};

use super::expect_region;
use crate::{
    prelude::*,
    record::{KeyRecord, path},
    wait::{RECORDS_PER_YIELD, yield_now},
};

impl Handle<ListTagResources> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListTagResources>,
    ) -> Result<Output> {
        let wanted = granted.action();
        expect_region(call, &wanted.region)?;
        let mut rows = Vec::new();
        if !wanted.keys.is_empty() {
            for key in granted.keys() {
                append(&mut rows, &key.place.id, &key.record.tags, &wanted.tags);
            }
            return Ok(output(rows, None));
        }
        let prefix = path::keys(call.caller.account(), &call.region);
        let mut after = wanted.after.as_ref().map(|Cursor(id)| format!("{prefix}{id}"));
        loop {
            let batch = tx.list::<KeyRecord>(&prefix, after.as_deref(), RECORDS_PER_YIELD)?;
            let Some((last, _)) = batch.last() else { return Ok(output(rows, None)) };
            after = Some(last.as_str().to_owned());
            for (found, record) in batch {
                let Some(id) = path::tail(&found, &prefix).and_then(KeyId::new) else { continue };
                append(&mut rows, &id, &record.tags, &wanted.tags);
                // A page ends with a whole key, so that the cursor needs to name no more than it.
                if rows.len() >= limits::TAG_ROWS {
                    return Ok(output(rows, Some(id)));
                }
            }
            yield_now().await;
        }
    }
}

/// The tags of a key, if it has all those that are wanted; a wanted tag with an empty value matches any value.
fn append(rows: &mut Vec<TagResourceRow>, id: &KeyId, tags: &Tags, wanted: &Tags) {
    let has = |(key, value): (&String, &String)| tags.get(key).is_some_and(|has| value.is_empty() || has == value);
    if wanted.iter().all(has) {
        rows.extend(tags.iter().map(|(key, value)| TagResourceRow {
            resource_id: id.clone(),
            resource_type: "key",
            tag_key: key.clone(),
            tag_value: value.clone(),
        }));
    }
}

fn output(tag_resource: Vec<TagResourceRow>, next: Option<KeyId>) -> Output {
    let next_token = next.map(|id| id.as_str().to_owned()).unwrap_or_default();
    Output { tag_resources: List(tag_resource), next_token }
}
