use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jomae_api::{
    actions::{
        keys::list_keys::{Filter, KeyRow, ListKeys, Output, Property},
        metadata::DateOrEmpty,
    },
    names::{AliasName, KeyId, KeyPlace},
};

use crate::{
    access::KeyReader,
    prelude::*,
    record::{AliasRecord, KeyRecord, path},
    store::Path,
    usage::cell::UsageRecord,
    wait::{RECORDS_PER_YIELD, yield_now},
};

const DESCRIBE: &str = "kms:DescribeKey";
const LIST_ALIASES: &str = "kms:ListAliasesByKeyId";

impl Handle<ListKeys> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListKeys>) -> Result<Output> {
        let wanted = granted.action();
        let prefix = path::keys(call.caller.account(), &call.region);
        let (offset, limit) = (wanted.page.offset(), wanted.page.size as usize);
        let reader = KeyReader::of(tx, call)?;
        let (paths, total_count, states) = if wanted.filters.is_empty() && wanted.text.is_none() {
            let ranked = self.ranks.page(self.vault.store(), &prefix, offset, limit).await?;
            (ranked.paths, ranked.total, None)
        } else {
            let rows = self.filtered(call, tx, &prefix, (wanted, &reader)).await?;
            (rows.page, rows.total, Some(rows.states))
        };
        let mut key = Vec::with_capacity(paths.len());
        for found in &paths {
            let Some(id) = path::tail(found, &prefix).and_then(KeyId::new) else { continue };
            // Opened, so that a row that somebody has planted or moved is a fault and not a key. One that was destroyed
            // since the page was found is no row any more.
            if let Some(record) = tx.get::<KeyRecord>(found)? {
                let place = call.own_key(id);
                key.push(if wanted.details { detailed(tx, &reader, &place, &record)? } else { bare(place) });
            }
            if wanted.details {
                yield_now().await;
            }
        }
        Ok(Output {
            keys: List(key),
            total_count,
            page_number: wanted.page.number,
            page_size: wanted.page.size,
            state_counts: states.filter(|_| wanted.details),
        })
    }
}

/// A row that names a key and tells nothing of it.
fn bare(place: KeyPlace) -> KeyRow {
    KeyRow {
        key_arn: place.arn(),
        key_id: place.id,
        description: None,
        key_state: None,
        key_spec: None,
        creation_date: None,
        delete_date: None,
        last_used: None,
        alias_names: None,
    }
}

/// A row with what the caller may read of the key.
fn detailed(tx: &mut Tx<'_>, reader: &KeyReader<'_>, place: &KeyPlace, record: &Arc<KeyRecord>) -> Result<KeyRow> {
    let alias_names = if reader.may(LIST_ALIASES, place, record)? {
        let prefix = path::aliases_of(place);
        let mut names = Vec::new();
        for found in tx.paths(&prefix, None, limits::LISTED_ALIASES_MAX)? {
            let Some(name) = path::tail(&found, &prefix).and_then(AliasName::new) else { continue };
            // An index entry that the alias itself does not confirm is no alias.
            let alias = tx.get::<AliasRecord>(&path::alias(&place.account, &place.region, &name))?;
            if alias.is_some_and(|alias| alias.key == place.id) {
                names.push(name.to_wire());
            }
        }
        Some(names.into_boxed_slice())
    } else {
        None
    };
    let row = KeyRow { alias_names, ..bare(place.clone()) };
    if !reader.may(DESCRIBE, place, record)? {
        return Ok(row);
    }
    Ok(KeyRow {
        description: Some(record.description.clone()),
        key_state: Some(record.state),
        key_spec: Some(record.spec),
        creation_date: Some(Timestamp(record.created)),
        delete_date: Some(DateOrEmpty(record.delete_at.map(Timestamp))),
        last_used: last_used(tx, place)?.map(Timestamp),
        ..row
    })
}

fn last_used(tx: &mut Tx<'_>, place: &KeyPlace) -> Result<Option<i64>, Fault> {
    Ok(tx.get::<UsageRecord>(&path::key_usage(place))?.and_then(|usage| usage.last))
}

impl Kms {
    /// What the filters and the text leave of the account's keys in the region.
    async fn filtered(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        prefix: &str,
        (wanted, reader): (&ListKeys, &KeyReader<'_>),
    ) -> Result<Rows> {
        let mut rows = Rows { offset: wanted.page.offset(), size: wanted.page.size as usize, ..Rows::default() };
        let sought = match &wanted.text {
            Some(text) => Some(Sought::of(call, tx, text).await?),
            None => None,
        };
        let (filters, before) = (&wanted.filters, last_use_before(&wanted.filters));
        // A decision may take a millisecond: too long for many of them without a break.
        let decides = sought.is_some() || before.is_some();
        let mut take = |tx: &mut Tx<'_>, place: &KeyPlace, found: Path, record: &Arc<KeyRecord>| -> Result<()> {
            if !matches(place, record, filters) {
                return Ok(());
            }
            if let Some(before) = before {
                let is_old = record.created < before && last_used(tx, place)?.is_none_or(|last| last < before);
                if !is_old || !reader.may(DESCRIBE, place, record)? {
                    return Ok(());
                }
            }
            if let Some(sought) = &sought
                && !sought.is_in(reader, place, record)?
            {
                return Ok(());
            }
            rows.add(found, record);
            Ok(())
        };
        if let Some(candidates) = named(call, tx, &wanted.filters)? {
            for id in candidates {
                let place = call.own_key(id);
                let found = path::key(&place);
                if let Some(record) = tx.get::<KeyRecord>(&found)? {
                    take(tx, &place, found, &record)?;
                }
                if decides {
                    yield_now().await;
                }
            }
            return Ok(rows);
        }
        // Nothing but the keys themselves knows their states and tags, and all that match are counted.
        let mut after: Option<Path> = None;
        loop {
            let batch = tx.list::<KeyRecord>(prefix, after.as_ref().map(Path::as_str), RECORDS_PER_YIELD)?;
            let Some((last, _)) = batch.last() else { break };
            after = Some(last.clone());
            for (found, record) in batch {
                let Some(id) = path::tail(&found, prefix).and_then(KeyId::new) else { continue };
                take(tx, &call.own_key(id), found, &Arc::new(record))?;
                if decides {
                    yield_now().await;
                }
            }
            yield_now().await;
        }
        Ok(rows)
    }
}

/// A text that keys are searched for.
struct Sought {
    text: String,
    /// The keys that have it in an alias.
    by_alias: BTreeSet<KeyId>,
}

impl Sought {
    async fn of(call: &Call<'_>, tx: &mut Tx<'_>, text: &str) -> Result<Self> {
        let text = text.to_lowercase();
        let mut by_alias = BTreeSet::new();
        let prefix = path::aliases(call.caller.account(), &call.region);
        let mut after: Option<Path> = None;
        loop {
            // Only those with the text are opened: it stands in the name, which is part of the path.
            let batch = tx.paths(&prefix, after.as_ref().map(Path::as_str), RECORDS_PER_YIELD)?;
            let Some(last) = batch.last() else { break };
            after = Some(last.clone());
            for found in &batch {
                let name = path::tail(found, &prefix).and_then(AliasName::new);
                if name.is_some_and(|name| name.to_wire().to_lowercase().contains(&text))
                    && let Some(alias) = tx.get::<AliasRecord>(found)?
                {
                    by_alias.insert(alias.key.clone());
                }
            }
            yield_now().await;
        }
        Ok(Self { text, by_alias })
    }

    fn is_in(&self, reader: &KeyReader<'_>, place: &KeyPlace, record: &Arc<KeyRecord>) -> Result<bool, Fault> {
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        if has(place.id.as_str()) {
            return Ok(true);
        }
        Ok((has(&record.description) && reader.may(DESCRIBE, place, record)?)
            || (record.tags.iter().any(|(key, value)| has(key) || has(value))
                && reader.may("kms:ListResourceTags", place, record)?)
            || (self.by_alias.contains(&place.id) && reader.may(LIST_ALIASES, place, record)?))
    }
}

/// The earliest moment before which keys have to have been used last, if there is such a filter; one that is no moment
/// leaves no key.
fn last_use_before(filters: &[Filter]) -> Option<i64> {
    let filter = filters.iter().find(|filter| filter.property == Property::LastUsedBefore)?;
    let moments = filter.values.iter().filter_map(|value| Timestamp::parse(value));
    Some(moments.map(|moment| moment.0).max().unwrap_or(i64::MIN))
}

/// The rows of one page, and how many there are.
#[derive(Default)]
struct Rows {
    offset: u64,
    size: usize,
    page: Vec<Path>,
    total: u64,
    states: BTreeMap<String, u64>,
}

impl Rows {
    fn add(&mut self, found: Path, record: &KeyRecord) {
        if self.total >= self.offset && self.page.len() < self.size {
            self.page.push(found);
        }
        self.total += 1;
        match self.states.get_mut(record.state.as_str()) {
            Some(count) => *count += 1,
            None => drop(self.states.insert(record.state.as_str().to_owned(), 1)),
        }
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
            Property::AliasName | Property::LastUsedBefore => true,
        }
    })
}
