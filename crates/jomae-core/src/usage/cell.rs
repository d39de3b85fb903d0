//! The uses of one key version, as they are counted and as they are stored.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use jomae_api::{
    action::Class,
    actions::{ACTIONS, metadata::UsageStatistics},
    names::KeyPlace,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::stored::plain_records;

/// The number of each action among those that use key versions: none of management does.
const PLACES: [Option<usize>; ACTIONS.len()] = {
    let mut places = [None; ACTIONS.len()];
    let (mut action, mut counted) = (0, 0);
    while action < ACTIONS.len() {
        if !matches!(ACTIONS[action].class, Class::Management) {
            places[action] = Some(counted);
            counted += 1;
        }
        action += 1;
    }
    places
};

/// How many actions use key versions.
const COUNTED: usize = {
    let (mut action, mut counted) = (0, 0);
    while action < PLACES.len() {
        counted += PLACES[action].is_some() as usize;
        action += 1;
    }
    counted
};

/// Uses of one version since the last flush.
pub struct UsageCell {
    pub(super) place: KeyPlace,
    pub(super) number: u32,
    /// By action, as [`PLACES`] has them.
    counts: [AtomicU64; COUNTED],
    first: AtomicI64,
    last: AtomicI64,
    last_by: Mutex<String>,
    /// Whether it is on the list of those that have something to flush.
    waits: AtomicBool,
}

/// What is stored of the uses of a version, or of a key as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub last_by: String,
    pub counts: BTreeMap<String, u64>,
}

plain_records!(form: 1, bears_rights: false; UsageRecord);

/// The names of the actions that are counted, in the order of their counts.
fn counted_actions() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().zip(PLACES).filter_map(|(spec, place)| place.map(|_| spec.name))
}

/// Where a version keeps its cell, once it has been used.
pub type UsageSlot = OnceLock<Arc<UsageCell>>;

impl UsageCell {
    pub(super) fn new(place: KeyPlace, number: u32) -> Self {
        Self {
            place,
            number,
            counts: [const { AtomicU64::new(0) }; COUNTED],
            first: AtomicI64::new(i64::MAX),
            last: AtomicI64::new(0),
            last_by: Mutex::default(),
            waits: AtomicBool::new(false),
        }
    }

    /// Counts one use by an action.
    pub(super) fn count(&self, action: usize, caller: &str, now: Timestamp) {
        let place = PLACES.get(action).copied().flatten();
        debug_assert!(place.is_some(), "an action of management uses a key version");
        if let Some(count) = place.and_then(|place| self.counts.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.first.fetch_min(now.0, Ordering::Relaxed);
        // The name of the last user is as fine as the clock: one write a second, not one a call.
        if self.last.fetch_max(now.0, Ordering::Relaxed) < now.0 {
            let mut last_by = self.last_by.lock().unwrap_or_else(PoisonError::into_inner);
            caller.clone_into(&mut last_by);
        }
    }

    /// Whether it has something to flush from now on and had nothing before: then it goes on the list.
    pub(super) fn begins_to_wait(&self) -> bool {
        !self.waits.swap(true, Ordering::AcqRel)
    }

    /// Takes out what has been counted.
    pub(super) fn take(&self) -> UsageRecord {
        // First, so that a use counted from here on puts the cell on the list again.
        self.waits.store(false, Ordering::Release);
        let counts = counted_actions()
            .zip(&self.counts)
            .map(|(name, count)| (name.to_owned(), count.swap(0, Ordering::AcqRel)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let known = |moment: i64| (moment != 0 && moment != i64::MAX).then_some(moment);
        UsageRecord {
            first: known(self.first.load(Ordering::Relaxed)),
            last: known(self.last.load(Ordering::Relaxed)),
            last_by: self.last_by.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            counts,
        }
    }

    pub(super) fn put_back(&self, record: &UsageRecord) {
        for (name, count) in counted_actions().zip(&self.counts) {
            count.fetch_add(record.counts.get(name).copied().unwrap_or(0), Ordering::Relaxed);
        }
    }
}

impl UsageRecord {
    pub(super) fn merge(&mut self, other: &Self) {
        self.first = [self.first, other.first].into_iter().flatten().min();
        if other.last >= self.last {
            self.last = other.last;
            self.last_by.clone_from(&other.last_by);
        }
        for (action, count) in &other.counts {
            *self.counts.entry(action.clone()).or_default() += count;
        }
    }

    /// As answers show it.
    pub fn statistics(&self) -> UsageStatistics {
        UsageStatistics {
            first_used: self.first.map(Timestamp),
            last_used: self.last.map(Timestamp),
            last_used_by: self.last_by.clone(),
            calls: self.counts.clone(),
        }
    }
}
