use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jomae_api::{
    actions::{
        keys::list_keys::{Filter, KeyRow, ListKeys, Output, Property},
        metadata::{DateOrEmpty, KeyState},
    },
    names::{AliasName, KeyId, KeyPlace},
};

use crate::{
    access::KeyReader,
    key_index::{Entry, Places, Sought, Step, Unused, View, last_use},
    prelude::*,
    record::{AliasRecord, KeyRecord, path},
    store::Path,
    wait::{RECORDS_PER_YIELD, yield_now},
};

const DESCRIBE: &str = "kms:DescribeKey";
const LIST_ALIASES: &str = "kms:ListAliasesByKeyId";
const LIST_TAGS: &str = "kms:ListResourceTags";

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
        last_used: last_use(tx, place)?.map(Timestamp),
        ..row
    })
}

/// What is asked of each key.
struct Asked<'a> {
    filters: &'a [Filter],
    text: Option<Sought>,
    /// The earliest moment that it may not have been used since.
    unused_since: Option<i64>,
}

/// Whether a key is in the list, as far as memory tells.
enum Judged {
    In(KeyState),
    /// If it was not used.
    InIfUnused(KeyState),
    /// Its record has to be looked at, and whether the text is in an alias.
    Unknown {
        by_alias: bool,
    },
}

impl Asked<'_> {
    /// By its record. `by_alias`: whether an alias of the key has the text.
    fn takes(
        &self,
        tx: &mut Tx<'_>,
        reader: &KeyReader<'_>,
        (place, record): (&KeyPlace, &Arc<KeyRecord>),
        by_alias: bool,
    ) -> Result<bool, Fault> {
        if !matches(place, record, self.filters) {
            return Ok(false);
        }
        if let Some(moment) = self.unused_since {
            let is_old = record.created < moment && last_use(tx, place)?.is_none_or(|last| last < moment);
            if !is_old || !reader.may(DESCRIBE, place, record)? {
                return Ok(false);
            }
        }
        let Some(text) = &self.text else { return Ok(true) };
        if text.is_in(place.id.as_str()) {
            return Ok(true);
        }
        Ok((text.is_in(&record.description) && reader.may(DESCRIBE, place, record)?)
            || (record.tags.iter().any(|(key, value)| text.is_in(key) || text.is_in(value))
                && reader.may(LIST_TAGS, place, record)?)
            || (by_alias && reader.may(LIST_ALIASES, place, record)?))
    }

    /// By what memory has of it; none: it is not in the list.
    fn judge(&self, id: &KeyId, entry: &Entry, readable: &Readable) -> Option<Judged> {
        let by_record = entry_matches(id, entry, self.filters)?;
        let may = |of_all: bool| of_all && (readable.whatever_policy || !entry.has_policy);
        let unused = self.unused_since.map(|moment| entry.is_unused_since(moment));
        if unused == Some(Unused::No) {
            return None;
        }
        let mut is_sure = !by_record && (unused.is_none() || may(readable.described));
        let mut by_alias = false;
        if let Some(text) = &self.text {
            let found = entry.find(id, text);
            by_alias = found.aliases;
            if found == Places::default() {
                return None;
            }
            is_sure &= found.id
                || (found.description && may(readable.described))
                || (found.tags && may(readable.tags))
                || (found.aliases && may(readable.aliases));
        }
        Some(match unused {
            _ if !is_sure => Judged::Unknown { by_alias },
            Some(Unused::Unknown) => Judged::InIfUnused(entry.state),
            _ => Judged::In(entry.state),
        })
    }
}

/// What the caller may read of every key here that has no policy of its own.
#[expect(clippy::struct_excessive_bools, reason = "a right each")]
struct Readable {
    described: bool,
    tags: bool,
    aliases: bool,
    /// And of those that have one.
    whatever_policy: bool,
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
        let asked = Asked {
            filters: &wanted.filters,
            text: wanted.text.as_deref().map(Sought::new),
            unused_since: last_use_before(&wanted.filters),
        };
        let rows = Rows { offset: wanted.page.offset(), size: wanted.page.size as usize, ..Rows::default() };
        if let Some(candidates) = named(call, tx, &wanted.filters)? {
            return among(call, tx, candidates, (&asked, reader), rows).await;
        }
        let here = (call.caller.account(), &call.region);
        if let Some(view) = self.key_index.view(tx, here, call.now).await?
            && let Some(rows) = indexed(call, tx, view, (&asked, reader), rows.clone()).await?
        {
            return Ok(rows);
        }
        all(call, tx, prefix, (&asked, reader), rows).await
    }
}

/// The keys of these that are asked for.
async fn among(
    call: &Call<'_>,
    tx: &mut Tx<'_>,
    candidates: Vec<KeyId>,
    (asked, reader): (&Asked<'_>, &KeyReader<'_>),
    mut rows: Rows,
) -> Result<Rows> {
    let by_alias = by_alias(call, tx, asked).await?;
    for id in candidates {
        let place = call.own_key(id);
        let found = path::key(&place);
        if let Some(record) = tx.get::<KeyRecord>(&found)?
            && asked.takes(tx, reader, (&place, &record), by_alias.contains(&place.id))?
        {
            rows.add(|| found, record.state);
        }
        yield_now().await;
    }
    Ok(rows)
}

/// The keys that are asked for, from memory. None: memory forgot them under way.
async fn indexed(
    call: &Call<'_>,
    tx: &mut Tx<'_>,
    mut view: View,
    (asked, reader): (&Asked<'_>, &KeyReader<'_>),
    mut rows: Rows,
) -> Result<Option<Rows>> {
    let readable = Readable {
        described: reader.may_on_any(DESCRIBE)?,
        tags: reader.may_on_any(LIST_TAGS)?,
        aliases: reader.may_on_any(LIST_ALIASES)?,
        whatever_policy: call.caller.is_root(),
    };
    loop {
        let found = match view.step(|id, entry| asked.judge(id, entry, &readable)) {
            Step::Found(found) => found,
            Step::End => return Ok(Some(rows)),
            Step::Lost => return Ok(None),
        };
        let mut read = Vec::new();
        for (id, judged) in &found.found {
            let place = || call.own_key(id.clone());
            match *judged {
                Judged::In(state) => rows.add(|| path::key(&place()), state),
                Judged::InIfUnused(state) => {
                    let last = last_use(tx, &place())?;
                    read.push((id.clone(), last));
                    if asked.unused_since.is_some_and(|moment| last.is_none_or(|last| last < moment)) {
                        rows.add(|| path::key(&place()), state);
                    }
                    if read.len() % RECORDS_PER_YIELD == 0 {
                        yield_now().await;
                    }
                }
                Judged::Unknown { by_alias } => {
                    let place = place();
                    let found = path::key(&place);
                    if let Some(record) = tx.get::<KeyRecord>(&found)?
                        && asked.takes(tx, reader, (&place, &record), by_alias)?
                    {
                        rows.add(|| found, record.state);
                    }
                    // A decision may take a millisecond: too long for many of them without a break.
                    yield_now().await;
                }
            }
        }
        if !read.is_empty() {
            view.note_uses(&read, &found);
        }
        yield_now().await;
    }
}

/// The keys that are asked for, with a look at every key.
async fn all(
    call: &Call<'_>,
    tx: &mut Tx<'_>,
    prefix: &str,
    (asked, reader): (&Asked<'_>, &KeyReader<'_>),
    mut rows: Rows,
) -> Result<Rows> {
    let by_alias = by_alias(call, tx, asked).await?;
    let decides = asked.text.is_some() || asked.unused_since.is_some();
    let mut after: Option<Path> = None;
    loop {
        let batch = tx.list::<KeyRecord>(prefix, after.as_ref().map(Path::as_str), RECORDS_PER_YIELD)?;
        let Some((last, _)) = batch.last() else { return Ok(rows) };
        after = Some(last.clone());
        for (found, record) in batch {
            let Some(id) = path::tail(&found, prefix).and_then(KeyId::new) else { continue };
            let (place, record) = (call.own_key(id), Arc::new(record));
            if asked.takes(tx, reader, (&place, &record), by_alias.contains(&place.id))? {
                rows.add(|| found, record.state);
            }
            if decides {
                yield_now().await;
            }
        }
        yield_now().await;
    }
}

/// The keys that have the text in an alias.
async fn by_alias(call: &Call<'_>, tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<BTreeSet<KeyId>> {
    let mut keys = BTreeSet::new();
    let Some(text) = &asked.text else { return Ok(keys) };
    let prefix = path::aliases(call.caller.account(), &call.region);
    let mut after: Option<Path> = None;
    loop {
        // Only those with the text are opened: it stands in the name, which is part of the path.
        let batch = tx.paths(&prefix, after.as_ref().map(Path::as_str), RECORDS_PER_YIELD)?;
        let Some(last) = batch.last() else { return Ok(keys) };
        after = Some(last.clone());
        for found in &batch {
            let name = path::tail(found, &prefix).and_then(AliasName::new);
            if name.is_some_and(|name| text.is_in(&name.to_wire()))
                && let Some(alias) = tx.get::<AliasRecord>(found)?
            {
                keys.insert(alias.key.clone());
            }
        }
        yield_now().await;
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
#[derive(Clone, Default)]
struct Rows {
    offset: u64,
    size: usize,
    page: Vec<Path>,
    total: u64,
    states: BTreeMap<String, u64>,
}

impl Rows {
    fn add(&mut self, found: impl FnOnce() -> Path, state: KeyState) {
        if self.total >= self.offset && self.page.len() < self.size {
            self.page.push(found());
        }
        self.total += 1;
        match self.states.get_mut(state.as_str()) {
            Some(count) => *count += 1,
            None => drop(self.states.insert(state.as_str().to_owned(), 1)),
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

/// As [`matches`], by what memory has of a key: none if it does not match, and whether its record has to be asked too.
fn entry_matches(id: &KeyId, entry: &Entry, filters: &[Filter]) -> Option<bool> {
    let mut by_record = false;
    for Filter { property, values } in filters {
        let has = |text: &str| values.iter().any(|value| value == text);
        let is_met = match property {
            Property::KeyState => has(entry.state.as_str()),
            Property::KeySpec => has(entry.spec.as_str()),
            Property::KeyUsage => has(entry.usage.as_str()),
            Property::ProtectionLevel => has(entry.protection.as_str()),
            Property::CreatorType => of_all(*property).is_some_and(has),
            Property::DkmsInstanceId => false,
            Property::Creator | Property::TagKey | Property::TagValue => {
                by_record = true;
                true
            }
            Property::KeyId => has(id.as_str()),
            Property::AliasName | Property::LastUsedBefore => true,
        };
        if !is_met {
            return None;
        }
    }
    Some(by_record)
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
