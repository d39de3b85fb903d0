//! A count of everything in a store, compared with the hash that stands in it.

use std::collections::BTreeMap;

use jomae_crypto::set::{SetKey, SetSum};

use super::record::{self, BaseRecord, LaneRecord};
use crate::{
    error::Fault,
    keyring::Keyring,
    store::{Path, Revision},
    tx,
};

/// What is wrong with a store as a whole; one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error(
        "the store was changed beside the service: of its {records} records some were set back to an older state, removed, \
         added or moved"
    )]
    Differs { records: u64 },
    #[error(
        "parts of the store are older than others: {path} has {found} changes, and {known} had been made when {by} was written"
    )]
    Behind { path: String, by: String, found: u64, known: u64 },
    #[error("the store went back while it was in use: {path} has {found} changes, and had {known}")]
    WentBack { path: String, found: u64, known: u64 },
    #[error("the hash over the store's records is damaged: {0}")]
    Damaged(String),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Records that the hash covers.
    pub records: u64,
    /// None: no hash was ever begun in this store.
    pub state: Option<State>,
}

/// A store as a whole at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Changes that were ever committed, as far as they are counted. Only grows.
    pub changes: u64,
    /// Of the records after so many changes; under a key of the store.
    pub digest: [u8; jomae_crypto::set::SUM_BYTES],
}

/// A count that is under way. Is given the records of one moment.
pub struct Tally<'k> {
    keys: &'k SetKey,
    keyring: &'k Keyring,
    records: u64,
    sum: SetSum,
    lanes: BTreeMap<Path, LaneRecord>,
    base: Option<(BaseRecord, Revision)>,
}

impl<'k> Tally<'k> {
    pub fn new(keys: &'k SetKey, keyring: &'k Keyring) -> Self {
        Self { keys, keyring, records: 0, sum: SetSum::default(), lanes: BTreeMap::new(), base: None }
    }

    pub fn take(&mut self, path: &Path, value: &[u8], revision: Revision) -> Result<(), Trouble> {
        let text = path.as_str();
        if record::is_inside(text) {
            self.records += 1;
            self.sum.add(&self.keys.element(text.as_bytes(), value));
        } else if record::of_lane(text).is_some() {
            let lane = tx::open(self.keyring, text, value).map_err(|fault| damaged(&fault))?;
            self.lanes.insert(path.clone(), lane);
        } else if *path == record::base() {
            self.base = Some((tx::open(self.keyring, text, value).map_err(|fault| damaged(&fault))?, revision));
        }
        Ok(())
    }

    pub const fn records(&self) -> u64 {
        self.records
    }

    pub const fn base(&self) -> Option<&(BaseRecord, Revision)> {
        self.base.as_ref()
    }

    /// Changes so far in each lane.
    pub fn lanes(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.lanes.iter().map(|(path, lane)| (path, lane.changes))
    }

    /// All changes of all lanes.
    pub fn changes_of_lanes(&self) -> u64 {
        self.lanes.values().fold(0, |all, lane| all.saturating_add(lane.changes))
    }

    /// What the base would have to say for the hash to be of these records.
    pub fn missing(&self) -> Result<SetSum, Fault> {
        let mut missing = self.sum.clone();
        for (path, lane) in &self.lanes {
            missing.subtract(&record::sum_of(path.as_str(), &lane.sum)?);
        }
        Ok(missing)
    }

    /// Compares.
    pub fn finish(&self) -> Result<Found, Trouble> {
        let Some((base, _)) = &self.base else { return Ok(Found { records: self.records, state: None }) };
        self.compare_counters(base)?;
        let missing = self.missing().map_err(|fault| damaged(&fault))?;
        let found = record::sum_of(record::base().as_str(), &base.sum).map_err(|fault| damaged(&fault))?;
        if !missing.is(&found) {
            return Err(Trouble::Differs { records: self.records });
        }
        let changes = base.changes.saturating_add(self.changes_of_lanes());
        let state = State { changes, digest: self.keys.digest(changes, &self.sum) };
        Ok(Found { records: self.records, state: Some(state) })
    }

    /// Whether none of these records is older than what another one knew of it. Without this, a lane could be set back
    /// together with what was last changed in it.
    fn compare_counters(&self, base: &BaseRecord) -> Result<(), Trouble> {
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        for (path, lane) in &self.lanes {
            if let Some((owner, _)) = record::of_lane(path.as_str()) {
                *totals.entry(owner).or_insert(0) += lane.changes;
            }
        }
        for (by, lane) in &self.lanes {
            let behind = |path: &str, found, known| {
                let (path, by) = (path.to_owned(), by.as_str().to_owned());
                if found < known { Err(Trouble::Behind { path, by, found, known }) } else { Ok(()) }
            };
            // What was known before a store was accepted as it is, is accepted with it.
            if lane.epoch != base.epoch {
                continue;
            }
            behind(record::base().as_str(), base.changes, lane.base)?;
            let lanes = by.as_str().rsplit_once('/').map_or("", |(lanes, _)| lanes);
            for (number, known) in lane.own.iter().enumerate() {
                let path = record::lane(&format!("{lanes}/"), number);
                behind(path.as_str(), self.lanes.get(&path).map_or(0, |lane| lane.changes), *known)?;
            }
            for (owner, known) in &lane.others {
                let path = format!("the lanes of node {owner}");
                behind(&path, totals.get(owner.as_str()).copied().unwrap_or(0), *known)?;
            }
        }
        Ok(())
    }
}

fn damaged(fault: &Fault) -> Trouble {
    Trouble::Damaged(fault.to_string())
}
