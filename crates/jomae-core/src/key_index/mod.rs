//! What lists of keys are searched in: the texts, states and last uses of an account's keys, in memory.
//!
//! The index of an account's keys in a region is made when somebody first searches there, by whoever searches, a few
//! records at a time; who comes meanwhile goes on where others are. Commits mark the keys that they touch, of this node and
//! of others, and the next search reads those again: so an index never depends on having heard of every change in the
//! right order, as in [`crate::rank`].
//!
//! All indexes together take [`BYTES_MAX`], those of one account [`ACCOUNT_BYTES_MAX`]. The least recently used gives way. An
//! account with more has none, and is searched by reading every key.

mod entry;

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jomae_api::{
    names::{AccountId, AliasName, KeyId, KeyPlace, RegionId},
    time::Timestamp,
};

use self::entry::LastUse;
pub use self::entry::{Entry, Places, Sought, Unused};
use crate::{
    error::Fault,
    record::{
        AliasRecord, KeyRecord,
        path::{self, KeyPart},
    },
    store::{Change, Path, Phase, SCAN_LIMIT_MAX, Store},
    tx::Tx,
    usage::cell::UsageRecord,
    wait::{RECORDS_PER_YIELD, yield_now},
};

/// Memory of all indexes, in bytes, about.
pub const BYTES_MAX: usize = 512 * 1024 * 1024;
/// Memory of the indexes of one account, in bytes, about: enough for a million keys with short texts.
pub const ACCOUNT_BYTES_MAX: usize = BYTES_MAX / 2;
/// Indexes at once, however small they are.
const INDEXES_MAX: usize = 1024;
/// Keys that may have changed since the last search, beside an eighth of all keys. With more, all are read again.
const CHANGED_MAX: usize = 1024;
/// Entries that are looked at before others may run: a fraction of a millisecond.
const ENTRIES_PER_YIELD: usize = 512;
/// For how long nobody tries again to make an index that had become too large.
const TOO_LARGE_SECS: i64 = 3600;

/// The indexes of a store.
#[derive(Clone)]
pub struct KeyIndex(Arc<Shared>);

struct Shared {
    indexes: Mutex<Indexes>,
    bytes_max: usize,
    account_bytes_max: usize,
}

#[derive(Default)]
struct Indexes {
    /// By [`path::owned_in`]: those of one account stand together.
    by_owner: BTreeMap<String, Held>,
    bytes: usize,
    uses: u64,
}

struct Held {
    index: Arc<Mutex<Index>>,
    bytes: usize,
    last_use: u64,
}

/// The keys of an account in a region.
#[derive(Default)]
struct Index {
    keys: BTreeMap<KeyId, Entry>,
    progress: Progress,
    /// Keys that have changed since they were read.
    changed: BTreeMap<KeyId, Marks>,
    /// How many changes there have been.
    marks: u64,
    /// How many new uses there have been.
    uses: u64,
    /// Whether more has changed than is remembered.
    overrun: bool,
    bytes: usize,
    /// Counts up when everything is forgotten.
    generation: u64,
}

/// How far an index is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Begun,
    After(Path),
    Whole,
    TooLarge {
        since: Timestamp,
    },
}

/// The first change of a key that its entry does not have, and the latest.
#[derive(Clone, Copy)]
struct Marks {
    first: u64,
    latest: u64,
}

impl KeyIndex {
    /// Hears of the changes of a store from now on.
    pub fn watch(store: &dyn Store) -> Self {
        Self::with_room(store, BYTES_MAX, ACCOUNT_BYTES_MAX)
    }

    /// The same, with other bounds.
    pub fn with_room(store: &dyn Store, bytes_max: usize, account_bytes_max: usize) -> Self {
        let shared = Arc::new(Shared { indexes: Mutex::default(), bytes_max, account_bytes_max });
        let watching = Arc::clone(&shared);
        store.watch(Box::new(move |phase, change| {
            // What was read before the commit can be read must be read again after it.
            if phase == Phase::Committed {
                watching.hear(change);
            }
        }));
        Self(shared)
    }

    /// The memory that all indexes take, in bytes, about.
    pub fn bytes(&self) -> usize {
        self.0.lock().bytes
    }

    /// The keys of an account in a region as they stand now. None: there are too many, or too much changes, and whoever
    /// searches has to read them.
    ///
    /// # Errors
    /// As those of reading the store.
    pub async fn view(
        &self,
        tx: &mut Tx<'_>,
        (account, region): (&AccountId, &RegionId),
        now: Timestamp,
    ) -> Result<Option<View>, Fault> {
        let owner = path::owned_in(account, region);
        let index = self.0.index(&owner);
        if !self.make(tx, (account, region), &index, now).await? {
            return Ok(None);
        }
        refresh(tx, (account, region), &index).await?;
        if !self.0.settle(&owner, &index, now) {
            return Ok(None);
        }
        let generation = lock(&index).generation;
        Ok(Some(View { index, generation, after: None }))
    }

    /// Makes an index, or what is left of it. `false`: it cannot be made.
    async fn make(
        &self,
        tx: &mut Tx<'_>,
        (account, region): (&AccountId, &RegionId),
        index: &Arc<Mutex<Index>>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let (owner, prefix) = (path::owned_in(account, region), path::keys(account, region));
        let mut beginnings = 0;
        loop {
            let (generation, after) = {
                let mut index = lock(index);
                let is_over = index.overrun
                    || matches!(index.progress, Progress::TooLarge { since } if now.0 - since.0 >= TOO_LARGE_SECS);
                if is_over {
                    beginnings += 1;
                    let forgotten = index.begin_again(Progress::Begun);
                    drop(index);
                    drop(forgotten);
                    if beginnings > 1 {
                        return Ok(false);
                    }
                    continue;
                }
                let after = match &index.progress {
                    Progress::Begun => None,
                    Progress::After(after) => Some(after.clone()),
                    Progress::Whole => return Ok(true),
                    Progress::TooLarge { .. } => return Ok(false),
                };
                (index.generation, after)
            };
            let rows = tx.list::<KeyRecord>(&prefix, after.as_ref().map(Path::as_str), RECORDS_PER_YIELD)?;
            let reached = rows.last().map(|(path, _)| path.clone());
            let mut entries = Vec::with_capacity(rows.len());
            for (path, record) in rows {
                let Some(id) = path::tail(&path, &prefix).and_then(KeyId::new) else { continue };
                let place = KeyPlace { account: account.clone(), region: region.clone(), id };
                let aliases = aliases_of(tx, &place).await?;
                let entry = Entry::of(&place.id, &record, &aliases);
                entries.push((place.id, entry));
            }
            {
                let mut index = lock(index);
                let expected = after.map_or(Progress::Begun, Progress::After);
                // Somebody else may have read the same meanwhile.
                if index.generation == generation && index.progress == expected {
                    for (id, entry) in entries {
                        index.put(id, entry);
                    }
                    index.progress = reached.map_or(Progress::Whole, Progress::After);
                }
            }
            if !self.0.settle(&owner, index, now) {
                return Ok(false);
            }
            yield_now().await;
        }
    }
}

/// Reads again what had changed before this was called.
async fn refresh(
    tx: &mut Tx<'_>,
    (account, region): (&AccountId, &RegionId),
    index: &Mutex<Index>,
) -> Result<(), Fault> {
    let upto = lock(index).marks;
    let mut after: Option<KeyId> = None;
    loop {
        let (id, read_at, generation) = {
            let index = lock(index);
            let mut changed = index.changed.range((bound(after.as_ref()), Bound::Unbounded));
            let Some((id, marks)) = changed.find(|(_, marks)| marks.first <= upto) else { return Ok(()) };
            (id.clone(), marks.latest, index.generation)
        };
        let place = KeyPlace { account: account.clone(), region: region.clone(), id };
        let entry = match tx.get::<KeyRecord>(&path::key(&place))? {
            Some(record) => Some(Entry::of(&place.id, &record, &aliases_of(tx, &place).await?)),
            None => None,
        };
        {
            let mut index = lock(index);
            if index.generation == generation {
                index.apply(&place.id, entry, read_at);
            }
        }
        after = Some(place.id);
        yield_now().await;
    }
}

/// The names of a key that their aliases confirm.
async fn aliases_of(tx: &mut Tx<'_>, place: &KeyPlace) -> Result<Vec<AliasName>, Fault> {
    let prefix = path::aliases_of(place);
    let (mut names, mut after) = (Vec::new(), None::<Path>);
    loop {
        let found = tx.paths(&prefix, after.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
        for path in &found {
            let Some(name) = path::tail(path, &prefix).and_then(AliasName::new) else { continue };
            let alias = tx.get::<AliasRecord>(&path::alias(&place.account, &place.region, &name))?;
            if alias.is_some_and(|alias| alias.key == place.id) {
                names.push(name);
            }
        }
        if found.len() < SCAN_LIMIT_MAX {
            return Ok(names);
        }
        after = found.last().cloned();
        yield_now().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Indexes> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, change: &Change) {
        for (path, _) in &change.writes {
            let Some((owner, id, part)) = path::of_key(path) else { continue };
            let index = self.lock().by_owner.get(owner).map(|held| Arc::clone(&held.index));
            if let (Some(index), Some(id)) = (index, KeyId::new(id)) {
                lock(&index).mark(id, part);
            }
        }
    }

    /// The index of an owner, which is begun if there is none.
    fn index(&self, owner: &str) -> Arc<Mutex<Index>> {
        let mut indexes = self.lock();
        indexes.uses += 1;
        let uses = indexes.uses;
        if let Some(held) = indexes.by_owner.get_mut(owner) {
            held.last_use = uses;
            return Arc::clone(&held.index);
        }
        while indexes.by_owner.len() >= INDEXES_MAX && indexes.evict("").is_some() {}
        let index = Arc::<Mutex<Index>>::default();
        let held = Held { index: Arc::clone(&index), bytes: 0, last_use: uses };
        indexes.by_owner.insert(owner.to_owned(), held);
        index
    }

    /// Takes down how much memory an index has now, and has others give way. `false`: its account has more than its share,
    /// and it is forgotten; or it had to give way itself.
    fn settle(&self, owner: &str, index: &Arc<Mutex<Index>>, now: Timestamp) -> bool {
        let bytes = lock(index).bytes;
        let mut given_up = Vec::new();
        let fits = {
            let mut indexes = self.lock();
            match indexes.by_owner.get_mut(owner).filter(|held| Arc::ptr_eq(&held.index, index)) {
                None => return false,
                Some(held) => {
                    let before = std::mem::replace(&mut held.bytes, bytes);
                    indexes.bytes = indexes.bytes + bytes - before;
                }
            }
            let fits = indexes.of_account(owner) <= self.account_bytes_max && bytes <= self.bytes_max;
            while fits && indexes.bytes > self.bytes_max {
                let Some(evicted) = indexes.evict(owner) else { break };
                given_up.push(evicted);
            }
            if !fits && let Some(held) = indexes.by_owner.get_mut(owner) {
                let bytes = std::mem::take(&mut held.bytes);
                indexes.bytes -= bytes;
            }
            fits
        };
        if !fits {
            let forgotten = lock(index).begin_again(Progress::TooLarge { since: now });
            drop(forgotten);
        }
        fits
    }
}

impl Indexes {
    /// Lets go of the index that was not used for the longest time, but not of this one.
    fn evict(&mut self, but: &str) -> Option<Arc<Mutex<Index>>> {
        let others = self.by_owner.iter().filter(|(owner, _)| *owner != but);
        let owner = others.min_by_key(|(_, held)| held.last_use).map(|(owner, _)| owner.clone())?;
        let held = self.by_owner.remove(&owner)?;
        self.bytes -= held.bytes;
        Some(held.index)
    }

    /// What the indexes of an owner's account take in all regions.
    fn of_account(&self, owner: &str) -> usize {
        let Some(account) = path::account_of_owner(owner) else { return 0 };
        let from = self.by_owner.range::<str, _>((Bound::Included(account), Bound::Unbounded));
        from.take_while(|(owner, _)| owner.starts_with(account)).map(|(_, held)| held.bytes).sum()
    }
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn bound<T>(after: Option<&T>) -> Bound<&T> {
    match after {
        Some(after) => Bound::Excluded(after),
        None => Bound::Unbounded,
    }
}

impl Index {
    fn mark(&mut self, id: KeyId, part: KeyPart) {
        if part == KeyPart::Use {
            self.uses += 1;
            if let Some(entry) = self.keys.get_mut(&id) {
                entry.last_use().is_newest = false;
            }
            return;
        }
        // All will be read again, or nothing is kept.
        if self.overrun || matches!(self.progress, Progress::TooLarge { .. }) {
            return;
        }
        self.marks += 1;
        let (mark, room) = (self.marks, self.changed.len() < CHANGED_MAX + self.keys.len() / 8);
        match self.changed.entry(id) {
            btree_map::Entry::Occupied(mut marks) => marks.get_mut().latest = mark,
            btree_map::Entry::Vacant(place) if room => drop(place.insert(Marks { first: mark, latest: mark })),
            btree_map::Entry::Vacant(_) => self.overrun = true,
        }
    }

    /// Takes in what was read of a key after its change of number `read_at`.
    fn apply(&mut self, id: &KeyId, entry: Option<Entry>, read_at: u64) {
        let Some(marks) = self.changed.get_mut(id).filter(|marks| marks.first <= read_at) else { return };
        if marks.latest == read_at {
            self.changed.remove(id);
        } else {
            marks.first = read_at + 1;
        }
        match entry {
            Some(entry) => self.put(id.clone(), entry),
            None => self.remove(id),
        }
    }

    /// Puts an entry in the place of an older one, which knows when the key was used.
    fn put(&mut self, id: KeyId, mut entry: Entry) {
        self.bytes += entry.bytes(&id);
        if let Some(older) = self.keys.get_mut(&id) {
            *entry.last_use() = *older.last_use();
            self.bytes -= older.bytes(&id);
        }
        self.keys.insert(id, entry);
    }

    fn remove(&mut self, id: &KeyId) {
        if let Some(entry) = self.keys.remove(id) {
            self.bytes -= entry.bytes(id);
        }
    }

    /// Forgets everything, which is given back to be dropped without the lock.
    fn begin_again(&mut self, progress: Progress) -> (BTreeMap<KeyId, Entry>, BTreeMap<KeyId, Marks>) {
        self.generation += 1;
        self.progress = progress;
        self.overrun = false;
        self.bytes = 0;
        (std::mem::take(&mut self.keys), std::mem::take(&mut self.changed))
    }
}

/// The keys of an account in a region, oldest first, as somebody goes through them.
pub struct View {
    index: Arc<Mutex<Index>>,
    generation: u64,
    after: Option<KeyId>,
}

/// What was found by one step through a [`View`].
pub enum Step<T> {
    Found(Found<T>),
    /// There are no more keys.
    End,
    /// The index was forgotten under way: nothing that was found counts.
    Lost,
}

pub struct Found<T> {
    pub found: Vec<(KeyId, T)>,
    /// How many new uses the index had heard of.
    uses: u64,
}

impl View {
    /// Shows the next entries to a function, and gives what that has found of them.
    pub fn step<T>(&mut self, mut look: impl FnMut(&KeyId, &Entry) -> Option<T>) -> Step<T> {
        let index = lock(&self.index);
        if index.generation != self.generation {
            return Step::Lost;
        }
        let mut found = Vec::new();
        let mut last = None;
        let range = index.keys.range((bound(self.after.as_ref()), Bound::Unbounded));
        for (id, entry) in range.take(ENTRIES_PER_YIELD) {
            last = Some(id);
            if let Some(of_key) = look(id, entry) {
                found.push((id.clone(), of_key));
            }
        }
        match last {
            None => Step::End,
            Some(last) => {
                self.after = Some(last.clone());
                Step::Found(Found { found, uses: index.uses })
            }
        }
    }

    /// Takes in when keys were used last, as it was read after a step.
    pub fn note_uses<T>(&self, read: &[(KeyId, Option<i64>)], step: &Found<T>) {
        let mut index = lock(&self.index);
        let is_newest = index.uses == step.uses;
        for (id, at) in read {
            if let Some(entry) = index.keys.get_mut(id) {
                let known = entry.last_use();
                *known = LastUse { at: known.at.max(*at), is_newest };
            }
        }
    }
}

/// When a key was used last, as it is stored.
///
/// # Errors
/// As those of reading the store.
pub fn last_use(tx: &mut Tx<'_>, place: &KeyPlace) -> Result<Option<i64>, Fault> {
    Ok(tx.get::<UsageRecord>(&path::key_usage(place))?.and_then(|usage| usage.last))
}
