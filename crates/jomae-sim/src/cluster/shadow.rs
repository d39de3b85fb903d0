//! What lands in a simulated world, done on a real store behind the real hash over all records, and a store that goes back.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, OnceLock},
};

use jomae_core::{
    cluster::record::NodeName,
    keyring::Keyring,
    store::{Commit, Committed, Path, Store as _, Write, memory::MemoryStore},
    whole::{WholeStore, record},
};
use jomae_crypto::{root::RootMaterial, secret::Key256};

use super::{
    Bug, Rollback,
    dice::Dice,
    process::SECOND,
    store::{At, Value},
    world::{Event, World},
};
use crate::block_on;

/// How many runs in a thousand have one without a mistake.
const OFTEN_PERMILLE: u64 = 100;
/// When the store goes back, and how long after it failed to find something for that.
const GOES_BACK: (u64, u64) = (15 * SECOND, 45 * SECOND);
const AGAIN: u64 = SECOND;
/// How often a node that looks at the others counts all records too.
const COUNTS_PERMILLE: u64 = 100;

type Written = (At, Option<Rc<Value>>);
/// Of each path, what stood there.
type Rows = BTreeMap<Path, Vec<u8>>;

pub struct Shadow {
    inner: Arc<MemoryStore>,
    dice: Dice,
    /// By host; gone with a crash.
    nodes: BTreeMap<usize, Arc<WholeStore>>,
    /// What the log of each host has promised.
    promised: BTreeMap<usize, u64>,
    /// All rows after each commit.
    moments: Vec<Rows>,
    goes_back: Option<Rollback>,
    /// It has gone back.
    is_older: bool,
}

/// The domain keys of every run: they stand in a store of their own.
fn keyring() -> Arc<Keyring> {
    static KEYS: OnceLock<Arc<Keyring>> = OnceLock::new();
    let made = || {
        let root = Key256::from_slice(&[5; 32]).map(RootMaterial::from).expect("a key of 32 bytes");
        Arc::new(block_on(Keyring::open(&MemoryStore::new(), &root)).expect("an empty store takes a key"))
    };
    Arc::clone(KEYS.get_or_init(made))
}

fn put(path: Path, value: Vec<u8>) -> Write {
    Write::Put(path, value)
}

/// Where it stands, if the hash is of it.
fn path(at: At) -> Option<Path> {
    match at {
        At::Key(number) => Some(Path::new(format!("a/key/{number}"))),
        At::Job(number) => Some(Path::new(format!("a/job/{number}"))),
        At::Form => Some(Path::new("a/form")),
        At::Node(_) | At::Work | At::Marker(_) => None,
    }
}

impl Shadow {
    /// For a run that has one.
    pub fn of(seed: u64, bug: Option<Bug>) -> Option<Self> {
        let mut dice = Dice::of(seed ^ 0x5ad0);
        let goes_back = match bug {
            Some(Bug::Rollback(how)) => Some(how),
            None if dice.permille(OFTEN_PERMILLE) => None,
            _ => return None,
        };
        let inner = Arc::new(MemoryStore::new());
        let (nodes, promised) = (BTreeMap::new(), BTreeMap::new());
        Some(Self { inner, dice, nodes, promised, moments: Vec::new(), goes_back, is_older: false })
    }

    fn rows(&self) -> Rows {
        let rows = self.inner.snapshot().expect("it is in memory");
        rows.map(|row| row.map(|(path, entry)| (path, entry.value)).expect("it is in memory")).collect()
    }

    /// As a process of a host has it open.
    fn node(&mut self, host: usize) -> Result<Arc<WholeStore>, String> {
        if let Some(node) = self.nodes.get(&host) {
            return Ok(Arc::clone(node));
        }
        let inner = Arc::clone(&self.inner);
        let whole = WholeStore::open(inner, keyring(), NodeName::new(&format!("h{host}")).as_ref());
        let whole = whole.map_err(|fault| fault.to_string())?;
        whole.begin_counting();
        self.nodes.insert(host, Arc::clone(&whole));
        Ok(whole)
    }

    fn land(&mut self, host: usize, writes: &[Written], revision: u64) -> Result<(), String> {
        let write = |(at, value): &Written| {
            let path = path(*at)?;
            Some(value.as_ref().map_or_else(
                || Write::Delete(path.clone()),
                |value| put(path.clone(), format!("{revision}: {value:?}").into_bytes()),
            ))
        };
        let writes: Vec<Write> = writes.iter().filter_map(write).collect();
        if writes.is_empty() {
            return Ok(());
        }
        let whole = self.node(host)?;
        match block_on(whole.commit(Commit { expect: Vec::new(), writes })) {
            Ok(Committed::Done(_)) => {}
            Ok(outcome) => return Err(format!("a commit of host {host} ended with {outcome:?}")),
            Err(error) => return Err(error.to_string()),
        }
        let rows = self.rows();
        self.moments.push(rows);
        Ok(())
    }

    /// What a node does every now and then: it looks at what others have done, counts at times, and its log promises what it
    /// has seen. `is_start`: before it does anything else, everything is counted, and compared with what was promised.
    fn look(&mut self, host: usize, is_start: bool) -> Result<bool, String> {
        let whole = self.node(host)?;
        whole.refresh().map_err(|fault| fault.to_string())?;
        whole.health().map_err(|error| error.to_string())?;
        let counts = is_start || self.dice.permille(COUNTS_PERMILLE);
        if counts {
            let found = whole.check(|_| true).map_err(|error| error.to_string())?;
            let found = found.map_err(|trouble| trouble.to_string())?;
            let promised = self.promised.get(&host).copied().unwrap_or(0);
            let changes = found.state.map_or(0, |state| state.changes);
            if changes < promised {
                return Err(format!("{changes} changes, and {promised} were promised"));
            }
        }
        if let Some(state) = whole.state() {
            self.promised.insert(host, state.changes);
        }
        Ok(counts)
    }

    /// What is to be written for the store to go back; none if there is nothing for it yet.
    fn writes_back(&mut self, how: Rollback) -> Option<Vec<Write>> {
        let now = self.rows();
        let is_content = |path: &&Path| !record::is_own(path.as_str());
        let undo = |then: &Rows| -> Vec<Write> {
            let changed = then.iter().filter(|(path, value)| now.get(*path) != Some(*value));
            let put_back = changed.map(|(path, value)| put(path.clone(), value.clone()));
            let newer = now.keys().filter(|path| !then.contains_key(*path)).map(|path| Write::Delete(path.clone()));
            put_back.chain(newer).collect()
        };
        match how {
            Rollback::SetBack => {
                let before = |path: &Path, value: &Vec<u8>| {
                    let mut values = self.moments.iter().rev().filter_map(|moment| moment.get(path));
                    values.find(|older| *older != value).map(|older| put(path.clone(), older.clone()))
                };
                let all: Vec<Write> = now
                    .iter()
                    .filter(|(path, _)| is_content(path))
                    .filter_map(|(path, value)| before(path, value))
                    .collect();
                self.dice.pick(&all).cloned().map(|write| vec![write])
            }
            Rollback::Removed => {
                let all: Vec<&Path> = now.keys().filter(is_content).collect();
                self.dice.pick(&all).map(|path| vec![Write::Delete((*path).clone())])
            }
            // Of one that wrote what nobody has written since.
            Rollback::Undone => {
                let before = self.moments.iter().rev().nth(1)?;
                Some(undo(before))
            }
            Rollback::Older | Rollback::OlderAtRest => {
                let moment = usize::try_from(self.dice.below((self.moments.len() as u64).max(2) - 1)).ok()?;
                let writes = undo(self.moments.get(moment)?);
                (!writes.is_empty()).then_some(writes)
            }
        }
    }
}

impl World {
    /// The records with which the run begins.
    pub fn shadow_begins(&mut self, writes: &[Written]) {
        let Some(shadow) = &mut self.shadow else { return };
        let begun = shadow.land(0, writes, 1).and_then(|()| {
            let whole = shadow.node(0)?;
            block_on(whole.accept(0, Vec::new())).map(drop).map_err(|fault| fault.to_string())
        });
        shadow.nodes.clear();
        if shadow.goes_back.is_some() {
            let when = shadow.dice.within(GOES_BACK);
            self.at(when, Event::GoBack);
        }
        self.shadow_says(begun);
    }

    pub fn shadow_lands(&mut self, host: usize, writes: &[Written]) {
        let revision = self.store.revision();
        let Some(shadow) = &mut self.shadow else { return };
        let landed = shadow.land(host, writes, revision);
        self.shadow_says(landed);
    }

    pub fn shadow_looks(&mut self, host: usize, is_start: bool) {
        let Some(shadow) = &mut self.shadow else { return };
        let seen = shadow.look(host, is_start);
        self.happened.counted += u64::from(seen == Ok(true));
        self.shadow_says(seen.map(drop));
    }

    pub fn shadow_crashes(&mut self, host: usize, loses_log: bool) {
        let Some(shadow) = &mut self.shadow else { return };
        shadow.nodes.remove(&host);
        if loses_log {
            shadow.promised.remove(&host);
        }
    }

    fn shadow_says(&mut self, outcome: Result<(), String>) {
        if let Err(why) = outcome {
            let is_older = self.shadow.as_ref().is_some_and(|shadow| shadow.is_older);
            self.fail(|_| format!("the hash over all records {}: {why}", if is_older { "tells" } else { "is wrong" }));
        }
    }

    /// Somebody who has write access to the store uses it.
    pub fn go_back(&mut self) {
        let Some(shadow) = &mut self.shadow else { return };
        let Some(how) = shadow.goes_back else { return };
        let Some(writes) = shadow.writes_back(how).filter(|writes| !writes.is_empty()) else {
            return self.at(self.time + AGAIN, Event::GoBack);
        };
        shadow.is_older = true;
        self.happened.overlooked += 1;
        self.tell(|| format!("the store goes back: {how:?}, {} records", writes.len()));
        let Some(shadow) = &self.shadow else { return };
        let done = block_on(shadow.inner.commit(Commit { expect: Vec::new(), writes })).map(drop);
        if let Err(error) = done {
            self.fail(|_| error.to_string());
        }
        if how == Rollback::OlderAtRest {
            for host in 0..self.hosts.len() {
                self.crash(host);
                self.after(self.time, (100, 2000), Event::Boot(host));
            }
        }
    }
}
