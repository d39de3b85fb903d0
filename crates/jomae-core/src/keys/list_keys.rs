use std::collections::BTreeSet;

use jomae_api::{
    actions::keys::list_keys::{Filter, KeyRow, ListKeys, Output, Property},
    names::{AliasName, KeyId, KeyPlace},
};

use crate::{
    prelude::*,
    record::{AliasRecord, KeyRecord, path},
    store::Path,
    wait::{RECORDS_PER_YIELD, yield_now},
};

impl Handle<ListKeys> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListKeys>) -> Result<Output> {
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
                let place = call.own_key(id);
                key.push(KeyRow { key_arn: place.arn(), key_id: place.id });
            }
        }
        Ok(Output { keys: List(key), total_count, page_number: wanted.page.number, page_size: wanted.page.size })
    }
}

impl Kms {
    /// What the filters leave of the account's keys in the region.
    async fn filtered(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        prefix: &str,
        wanted: &ListKeys,
    ) -> Result<(Vec<Path>, u64)> {
        let mut rows = Rows { offset: wanted.page.offset(), size: wanted.page.size as usize, ..Rows::default() };
        if let Some(candidates) = named(call, tx, &wanted.filters)? {
            for id in candidates {
                let place = call.own_key(id);
                let found = path::key(&place);
                if let Some(record) = tx.get::<KeyRecord>(&found)?
                    && matches(&place, &record, &wanted.filters)
                {
                    rows.add(found);
                }
            }
            return Ok((rows.page, rows.total));
        }
        // Nothing but the keys themselves knows their states and tags, and all that match are counted.
        let mut after: Option<Path> = None;
        loop {
            let batch = tx.list::<KeyRecord>(prefix, after.as_ref().map(Path::as_str), RECORDS_PER_YIELD)?;
            let Some((last, _)) = batch.last() else { break };
            after = Some(last.clone());
            for (found, record) in batch {
                let Some(id) = path::tail(&found, prefix).and_then(KeyId::new) else { continue };
                let place = call.own_key(id);
                if matches(&place, &record, &wanted.filters) {
                    rows.add(found);
                }
            }
            yield_now().await;
        }
        Ok((rows.page, rows.total))
    }
}

/// The rows of one page, and how many there are.
#[derive(Default)]
struct Rows {
    offset: u64,
    size: usize,
    page: Vec<Path>,
    total: u64,
}

impl Rows {
    fn add(&mut self, found: Path) {
        if self.total >= self.offset && self.page.len() < self.size {
            self.page.push(found);
        }
        self.total += 1;
    }
}

/// The keys that filters by name leave, oldest first, if there is such a filter: a few, which are looked up. A filter
/// that no key here can pass leaves none.
fn named(call: &Call<'_>, tx: &mut Tx<'_>, filters: &[Filter]) -> Result<Option<Vec<KeyId>>> {
    let (account, region) = (call.caller.account(), &call.region);
    let mut left: Option<BTreeSet<KeyId>> = None;
    for Filter { property, values } in filters {
        let by_name: BTreeSet<KeyId> = match property {
            Property::KeyId => values.iter().filter_map(|value| KeyId::new(value)).collect(),
            Property::AliasName => {
                let mut keys = BTreeSet::new();
                for name in values.iter().filter_map(|value| AliasName::from_wire(value)) {
                    if let Some(alias) = tx.get::<AliasRecord>(&path::alias(account, region, &name))? {
                        keys.insert(alias.key.clone());
                    }
                }
                keys
            }
            // The same of every key here.
            _ if of_all(*property).is_some_and(|of_all| !values.iter().any(|value| value == of_all)) => BTreeSet::new(),
            _ => continue,
        };
        left = Some(match left {
            Some(left) => left.intersection(&by_name).cloned().collect(),
            None => by_name,
        });
    }
    Ok(left.map(|keys| keys.into_iter().collect()))
}

/// What every key has of a property.
const fn of_all(property: Property) -> Option<&'static str> {
    match property {
        Property::CreatorType => Some("User"),
        // None has one.
        Property::DkmsInstanceId => Some(""),
        _ => None,
    }
}

fn matches(place: &KeyPlace, record: &KeyRecord, filters: &[Filter]) -> bool {
    filters.iter().all(|Filter { property, values }| {
        let has = |text: &str| values.iter().any(|value| value == text);
        match property {
            Property::KeyState => has(record.state.as_str()),
            Property::KeySpec => has(record.spec.as_str()),
            Property::KeyUsage => has(record.usage.as_str()),
            Property::ProtectionLevel => has(record.protection.as_str()),
            Property::CreatorType => of_all(*property).is_some_and(has),
            Property::DkmsInstanceId => false,
            Property::Creator => has(record.creator.as_str()),
            Property::TagKey => record.tags.keys().any(|key| has(key)),
            Property::TagValue => record.tags.values().any(|value| has(value)),
            // Looked up before; the index of aliases decides.
            Property::KeyId => has(place.id.as_str()),
            Property::AliasName => true,
        }
    })
}
