use jomae_api::{
    actions::keys::list_keys::{Filter, KeyList, KeyRow, ListKeys, Output, Property},
    names::{AliasName, KeyId},
};

use crate::{
    access::Authorized,
    error::Error,
    record::{AliasRecord, KeyPlace, KeyRecord, path},
    run::{Call, Handle, Kms},
    store::{Path, SCAN_LIMIT_MAX},
    tx::Tx,
    wait::breathe,
};

impl Handle<ListKeys> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, ListKeys>) -> Result<Output, Error> {
        let wanted = granted.action();
        let prefix = path::keys(call.caller.account(), &call.region);
        let (offset, limit) = (wanted.page.offset(), wanted.page.size as usize);
        let (paths, total_count) = if wanted.filters.is_empty() {
            let ranked = self.ranks.page(self.vault.store(), &prefix, offset, limit).await?;
            (ranked.paths, ranked.total)
        } else {
            self.filtered(call, tx, &prefix, wanted).await?
        };
        let mut key = Vec::with_capacity(paths.len());
        for found in &paths {
            let Some(id) = path::tail(found, &prefix).and_then(KeyId::new) else { continue };
            // Opened, so that a row that somebody has planted or moved is a fault and not a key. One that was destroyed
            // since the page was found is no row any more.
            if tx.get::<KeyRecord>(found)?.is_some() {
                let place = KeyPlace { account: call.caller.account().clone(), region: call.region.clone(), id };
                key.push(KeyRow { key_arn: place.arn(), key_id: place.id });
            }
        }
        Ok(Output { keys: KeyList { key }, total_count, page_number: wanted.page.number, page_size: wanted.page.size })
    }
}

impl Kms {
    /// Looks at every key of the account in the region, a few hundred at a time: a filter can ask for anything.
    async fn filtered(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        prefix: &str,
        wanted: &ListKeys,
    ) -> Result<(Vec<Path>, u64), Error> {
        let mut rows = Vec::new();
        let mut total = 0u64;
        let mut after: Option<Path> = None;
        loop {
            let batch = tx.list::<KeyRecord>(prefix, after.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
            let Some((last, _)) = batch.last() else { break };
            after = Some(last.clone());
            for (found, record) in batch {
                let Some(id) = path::tail(&found, prefix).and_then(KeyId::new) else { continue };
                let place = KeyPlace { account: call.caller.account().clone(), region: call.region.clone(), id };
                if !matches(tx, &place, &record, &wanted.filters)? {
                    continue;
                }
                if total >= wanted.page.offset() && rows.len() < wanted.page.size as usize {
                    rows.push(found);
                }
                total += 1;
            }
            breathe().await;
        }
        Ok((rows, total))
    }
}

fn matches(tx: &mut Tx<'_>, place: &KeyPlace, record: &KeyRecord, filters: &[Filter]) -> Result<bool, Error> {
    for Filter { property, values } in filters {
        let has = |text: &str| values.iter().any(|value| value == text);
        let met = match property {
            Property::KeyState => has(state_text(record)),
            Property::KeySpec => has(record.spec.as_str()),
            Property::KeyUsage => has(record.usage.as_str()),
            Property::ProtectionLevel => has("SOFTWARE"),
            Property::CreatorType => has("User"),
            Property::DkmsInstanceId => false,
            Property::KeyId => has(place.id.as_str()),
            Property::Creator => has(record.creator.as_str()),
            Property::TagKey => record.tags.keys().any(|key| has(key)),
            Property::TagValue => record.tags.values().any(|value| has(value)),
            Property::AliasName => named_by_any(tx, place, values)?,
        };
        if !met {
            return Ok(false);
        }
    }
    Ok(true)
}

const fn state_text(record: &KeyRecord) -> &'static str {
    use jomae_api::actions::metadata::KeyState;
    match record.state {
        KeyState::Enabled => "Enabled",
        KeyState::Disabled => "Disabled",
        KeyState::PendingDeletion => "PendingDeletion",
        KeyState::PendingImport => "PendingImport",
    }
}

fn named_by_any(tx: &mut Tx<'_>, place: &KeyPlace, values: &[String]) -> Result<bool, Error> {
    for value in values {
        if let Some(name) = AliasName::from_wire(value)
            && let Some(alias) = tx.get::<AliasRecord>(&path::alias(&place.account, &place.region, &name))?
            && alias.key == place.id
        {
            return Ok(true);
        }
    }
    Ok(false)
}
