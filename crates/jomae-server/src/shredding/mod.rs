//! The life of shredding keys: made with each month, taken out of use, destroyed
//! ([why](../../../../docs/decisions/0039-shredding-keys.md)).
//!
//! Each turn does one thing at most, and begins with what the store and the directories say: a crash between two of them, or
//! within one, leaves a key too much, and never one too few.
//!
//! - A new key is in both directories before the store knows of it, and the store knows of it before anything is wrapped
//!   under it. One that the store does not know of is adopted by the next start.
//! - The store says that a key is destroyed before it is. What is left of it goes with the next turn.
//! - A key is destroyed only after a pass that began when its time was over has found no version that needs it.
//!
//! Of several nodes ([why](../../../../docs/decisions/0044-shredding-keys-of-a-cluster.md)) the one that does the common work does
//! all this. The others load what it makes from the directories, which all share, and forget what it destroys.

mod examined;
mod loader;
mod places;
mod restored;

use std::{path::PathBuf, sync::Arc, time::Duration};

use jomae_api::{names::RegionId, time::Timestamp};
use jomae_core::{
    audit::AuditSink,
    audit::outbox::Outbox,
    cluster::machine::CLOCKS_APART_SECS_MAX,
    error::{Fault, FaultKind},
    service::Service,
    shredding::{
        Missing, ShreddingKeys,
        pass::Pass,
        record::{EscrowFile, KeyFile, KeyFileError, KeyState, ShreddingRecord, read},
    },
    tx::Vault,
};
use jomae_crypto::{
    secret::Key256,
    shares::{CombineError, Share, ShareSet},
    shredding::{ShreddingKey, ShreddingKeyId},
};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::{
    runtime::Handle,
    sync::{Mutex, watch},
    task::spawn_blocking,
    time::sleep,
};

pub(crate) use examined::examine;
use loader::Loader;
pub use places::{PlaceError, Places};
pub(crate) use restored::{after_restore, recover};

use crate::{
    config::{Config, Destruction},
    gateway,
    root_key::people::{Identities, SEALED_BYTES_MAX, ShareFileError},
};

/// How long a call may take from wrapping material to its commit, generously, in seconds.
const GRACE_SECS: i64 = 600;
/// Between two turns.
const TURN_EVERY: Duration = Duration::from_secs(1);
/// Seconds until a turn that has failed is tried again.
const RETRY_SECS: i64 = 10;
/// Turns that a start takes at most until new material has its key.
const TURNS_AT_START_MAX: u32 = 16;
/// How often, and after which pause, a start of one of several nodes looks whether some node has made the first key.
const LOOKS_AT_START_MAX: u32 = 50;
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Between two passes of a cluster that has nothing to do, in seconds: they find what a node has made while it was not
/// configured as the others.
const LOOK_OVER_SECS: i64 = 24 * 3600;

/// Why shredding keys do not let a service start, or be restored; one line.
#[derive(Debug, thiserror::Error)]
pub enum ShreddingError {
    #[error(
        "the store has shredding keys: destruction.keys_dir and escrow_dir must say where, also after they were turned off"
    )]
    NoPlaces,
    #[error(
        "shredding key {id} is not in {keys}: {}",
        if *.is_in_escrow { "`jomae shred recover` brings it back with enough shares" } else { "nor is it in destruction.escrow_dir" }
    )]
    Missing { id: ShreddingKeyId, keys: String, is_in_escrow: bool },
    #[error(
        "the material of {versions} key versions in this backup is gone for good: their shredding key {id} {}; \
         --accept-shredded restores everything else",
        .destroyed.as_ref().map_or_else(
            || "is neither in destruction.keys_dir nor in escrow_dir".to_owned(),
            |at| format!("was destroyed at {at}, as its time was over")
        )
    )]
    Shredded { id: ShreddingKeyId, versions: u64, destroyed: Option<String> },
    #[error(transparent)]
    ShareFile(#[from] ShareFileError),
    #[error("shredding key {id}: {source}")]
    Combine { id: ShreddingKeyId, source: CombineError },
    #[error("shredding key {id} in {dir}: {source}")]
    Key { id: ShreddingKeyId, dir: String, source: KeyFileError },
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl From<PlaceError> for Fault {
    fn from(error: PlaceError) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// What can be watched.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    /// Shredding keys that are not destroyed.
    pub(crate) keys: Gauge,
    pub(crate) rewrapped: Counter,
    pub(crate) failures: Counter,
    /// Seconds by which the oldest destruction is late.
    pub(crate) late: Gauge,
}

/// Keeps the shredding keys of a service.
pub struct Shredding {
    keys: Arc<ShreddingKeys>,
    places: Option<Places>,
    shreds: bool,
    retention_secs: i64,
    state: Mutex<State>,
    pub(crate) counts: Counts,
}

/// What is known in memory only.
struct State {
    /// Where new material goes, and since when it does.
    target: Option<ShreddingKeyId>,
    since: Timestamp,
    /// How many keys had been retired, or destroyed.
    retired: usize,
    /// Whether this node did the common work the last time.
    works: bool,
    pass: Option<Pass>,
    /// When the last pass began that has found nothing to do since then.
    clean: Option<Timestamp>,
    /// Keys that the store does not know of.
    strays: Vec<KeyState>,
    /// Whether destroyed keys may still be in the directories.
    leaves: bool,
    /// When the directories were last compared with what the store says.
    looked_over: i64,
    retry_at: i64,
}

/// What a turn works on.
struct Turn<'t> {
    vault: &'t Vault,
    outbox: &'t Outbox,
    audit: &'t dyn AuditSink,
    region: &'t RegionId,
    now: Timestamp,
}

impl Turn<'_> {
    /// Changes the record with its event; nothing happens if it has changed meanwhile.
    async fn change(
        &self,
        record: &ShreddingRecord,
        event: (&str, &[(&str, &str)]),
        change: impl FnOnce(&mut ShreddingRecord),
    ) -> Result<bool, Fault> {
        match record.change(self.vault, self.region, event, self.now, change).await? {
            Some(pending) => self.outbox.append(self.audit, pending).await.map(|_| true),
            None => Ok(false),
        }
    }
}

/// In which month a moment is, in UTC, such as `2026-11`.
fn month(at: Timestamp) -> Result<String, Fault> {
    at.to_string().get(..7).map(str::to_owned).ok_or_else(|| Fault::internal("a moment without a month"))
}

impl Shredding {
    /// Reads the keys that the store needs.
    ///
    /// # Errors
    /// One is not there, or does not open: nothing was changed.
    pub fn open(config: &Config, vault: &Vault, now: Timestamp) -> Result<Self, ShreddingError> {
        let record = read(&mut vault.reading())?.unwrap_or_default();
        let places = Places::of(&config.destruction);
        if record.keys.iter().any(KeyState::is_there) && places.is_none() {
            return Err(ShreddingError::NoPlaces);
        }
        let shreds = config.destruction.mode == Destruction::Shred;
        let keys = Arc::new(ShreddingKeys::default());
        let mut strays = Vec::new();
        if let Some(places) = &places {
            places.prove_keys(&record)?;
            match places.prove_escrow(&record) {
                // Nothing is made or destroyed until it is back, or another one begins.
                Err(error) if places.has_no_escrow() => {
                    tracing::warn!(%error, "shredding keys are neither made nor destroyed by this node");
                }
                proven => proven?,
            }
            for state in record.keys.iter().filter(|key| key.is_there()) {
                keys.add(restored::expect_key(places, vault.keyring(), state.id)?);
            }
            strays = find_strays(&keys, places, vault, &record)?;
            keys.load_from(Box::new(Loader::new(&keys, loader::reading(places.clone(), vault.keyring_shared()))));
        }
        keys.follow_changes(vault, shreds);
        let kept = config.backup.keep_days;
        if shreds && config.backup.to.is_some() && kept.is_none_or(|days| days > config.destruction.retention_days) {
            tracing::warn!(
                retention_days = config.destruction.retention_days,
                "backups are kept for longer than shredding keys: the older ones will not have any key material"
            );
        }
        let leaves = record.keys.iter().any(|key| !key.is_there());
        let state = State {
            target: None,
            since: now,
            retired: 0,
            works: false,
            pass: None,
            clean: None,
            strays,
            leaves,
            looked_over: now.0,
            retry_at: 0,
        };
        let retention_secs = config.destruction.retention_secs();
        Ok(Self { keys, places, shreds, retention_secs, state: Mutex::new(state), counts: Counts::default() })
    }

    /// For the backend that makes and uses keys.
    pub(crate) fn keys(&self) -> Arc<ShreddingKeys> {
        Arc::clone(&self.keys)
    }

    /// Sees to it that new material has its key from the first call on.
    pub(crate) async fn begin(&self, service: &Service, now: Timestamp) -> Result<(), Fault> {
        let turn = of(service, now);
        let mut state = self.state.lock().await;
        if turn.vault.cluster().is_some() {
            return self.begin_beside_others(&turn, &mut state).await;
        }
        for _ in 0..TURNS_AT_START_MAX {
            let done = self.step(&turn, &mut state).await;
            if !self.shreds || self.keys.target().is_some() {
                // With an older key it goes on: what fails now is tried again.
                return done.or_else(|fault| {
                    tracing::warn!(cause = %fault, "cannot see to the shredding keys; will retry");
                    Ok(())
                });
            }
            done?;
        }
        Err(Fault::unavailable("the shredding keys of the store keep changing"))
    }

    /// As [`Shredding::begin`], for one of several nodes, of which another one may make the keys.
    async fn begin_beside_others(&self, turn: &Turn<'_>, state: &mut State) -> Result<(), Fault> {
        let record = read(&mut turn.vault.reading())?.unwrap_or_default();
        let Some(places) = &self.places else { return Ok(()) };
        if !self.shreds && !record.keys.iter().any(KeyState::is_there) {
            return Ok(());
        }
        if self.shreds && record.recovery.is_none() {
            return Err(no_shares());
        }
        for look in 1.. {
            match self.claim(turn, places).await {
                Ok(()) => break,
                // The nodes may not have agreed yet on what is written.
                Err(fault) if look == LOOKS_AT_START_MAX || fault.kind != FaultKind::Unavailable => return Err(fault),
                Err(_) => sleep(LOOK_PAUSE).await,
            }
        }
        let mut failed = None;
        for _ in 0..LOOKS_AT_START_MAX {
            failed = self.step(turn, state).await.err();
            if !self.shreds || self.keys.target().is_some() {
                break;
            }
            sleep(LOOK_PAUSE).await;
        }
        if let Some(fault) = failed {
            tracing::warn!(cause = %fault, "cannot see to the shredding keys; will retry");
        }
        if self.shreds && self.keys.target().is_none() {
            tracing::warn!("no node has made a shredding key yet; what is made until then is brought under it later");
        }
        Ok(())
    }

    /// Has the store remember by what the directories are known, if it does not yet.
    async fn claim(&self, turn: &Turn<'_>, places: &Places) -> Result<(), Fault> {
        for _ in 0..TURNS_AT_START_MAX {
            let record = read(&mut turn.vault.reading())?.unwrap_or_default();
            let escrow = record.escrowed.as_ref().filter(|_| record.escrow_place.is_none());
            if record.keys_place.is_some() && escrow.is_none() {
                return Ok(());
            }
            let keys = match &record.keys_place {
                Some(known) => known.clone(),
                None => places.claim_keys()?,
            };
            let escrow = escrow.map(|set| places.claim_escrow(set)).transpose()?.or(record.escrow_place.clone());
            let change = |record: &mut ShreddingRecord| {
                (record.keys_place, record.escrow_place) = (Some(keys), escrow);
            };
            let event = ("ShareShreddingDirectories", &[][..]);
            let changed = record.change_anywhere(turn.vault, turn.region, event, turn.now, change).await?;
            if let Some(pending) = changed {
                turn.outbox.append(turn.audit, pending).await?;
            }
            // Whoever was first has named them.
            turn.vault.catch_up().await?;
            places.prove(&read(&mut turn.vault.reading())?.unwrap_or_default())?;
        }
        Err(Fault::unavailable("the shredding keys of the store keep changing"))
    }

    /// Does what is due, a little at a time. To be called every second.
    pub(crate) async fn turn(&self, service: &Service, now: Timestamp) -> Result<(), Fault> {
        let mut state = self.state.lock().await;
        // A clock that was set back does not make it wait for long.
        if now.0 < state.retry_at && state.retry_at - now.0 <= RETRY_SECS {
            return Ok(());
        }
        let done = self.step(&of(service, now), &mut state).await;
        if done.is_err() {
            state.retry_at = now.0 + RETRY_SECS;
            self.counts.failures.inc();
        }
        done
    }

    /// Goes on until the service stops. A directory that does not answer holds nothing else up.
    pub(crate) async fn run(self: Arc<Self>, service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
        loop {
            let (shredding, of, runtime) = (Arc::clone(&self), Arc::clone(&service), Handle::current());
            let turn = spawn_blocking(move || runtime.block_on(shredding.turn(&of, gateway::now())));
            tokio::select! {
                done = turn => match done.map_err(Fault::internal).and_then(|done| done) {
                    Ok(()) => {}
                    Err(fault) => tracing::error!(cause = %fault, "cannot see to the shredding keys; will retry"),
                },
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(TURN_EVERY) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn step(&self, turn: &Turn<'_>, state: &mut State) -> Result<(), Fault> {
        let record = read(&mut turn.vault.reading())?.unwrap_or_default();
        let there = record.keys.iter().filter(|key| key.is_there()).count();
        self.counts.keys.set(i64::try_from(there).unwrap_or(i64::MAX));
        let Some(places) = &self.places else { return Ok(()) };
        if !self.shreds && there == 0 && !state.leaves && state.strays.is_empty() {
            return Ok(());
        }
        // What fails from here on does not keep a service from starting that has a key for new material.
        self.follow(state, &record, turn.now);
        if let Some(cluster) = turn.vault.cluster() {
            if !cluster.has_work() {
                state.works = false;
                self.counts.late.set(0);
                self.load(&record).await?;
                return Self::clear_left(places, state, &record);
            }
            self.tell_late(state, &record, turn.now);
            places.prove(&record)?;
            self.load(&record).await?;
            self.take_over(turn, places, state, &record)?;
        }
        let newest = record.newest();
        state.strays.retain(|stray| record.find(stray.id).is_none());
        if let Some(stray) = state.strays.last() {
            let id = stray.id.to_string();
            // It was sealed to the shares of its moment, if it came so far.
            if let (Some(recovery), Some(key)) = (&record.recovery, self.keys.get(stray.id)) {
                places.keep_escrow(&EscrowFile::of(&key, stray.made, recovery)?)?;
            }
            if turn
                .change(&record, ("AdoptShreddingKey", &[("Key", &id)]), |record| record.keys.push(stray.clone()))
                .await?
            {
                state.strays.pop();
            }
            return Ok(());
        }
        if self.escrow(turn, places, &record).await? {
            return Ok(());
        }
        let cleared = Self::clear_left(places, state, &record);
        let record = if self.make(turn, places, &record, newest).await? {
            let changed = read(&mut turn.vault.reading())?.unwrap_or_default();
            self.follow(state, &changed, turn.now);
            changed
        } else {
            record
        };
        self.let_go(turn, places, state, &record).await?;
        cleared
    }

    /// Does as the store says, and begins anew to look at what is there if that says something else than before.
    fn follow(&self, state: &mut State, record: &ShreddingRecord, now: Timestamp) {
        self.keys.follow(record, self.shreds);
        let target = self.keys.target();
        if state.target != target {
            (state.target, state.since, state.clean, state.pass) = (target, now, None, None);
        }
        // A pass that began before says nothing of what came under a key until it was retired.
        let retired = record.keys.iter().filter(|key| key.retired.is_some()).count();
        if state.retired != retired {
            (state.retired, state.clean, state.pass) = (retired, None, None);
        }
    }

    /// Brings every key to memory that is there.
    async fn load(&self, record: &ShreddingRecord) -> Result<(), Fault> {
        for key in record.keys.iter().filter(|key| key.is_there() && !self.keys.has(key.id)) {
            self.keys.fetch(Missing::Away(key.id)).await?;
        }
        Ok(())
    }

    /// What the node that does the common work looks at when it has taken over, and then once a day: what one that was held up
    /// may have left in the directories.
    fn take_over(
        &self,
        turn: &Turn<'_>,
        places: &Places,
        state: &mut State,
        record: &ShreddingRecord,
    ) -> Result<(), Fault> {
        let now = turn.now.0;
        let month = month(turn.now)?;
        let needs_key = self.shreds && !is_of(record.newest(), &month, now)? && state.strays.is_empty();
        let looks_over = !state.works || now.saturating_sub(state.looked_over) >= LOOK_OVER_SECS;
        if needs_key || looks_over {
            state.strays = find_strays(&self.keys, places, turn.vault, record)?;
        }
        if !state.works {
            (state.since, state.clean, state.pass) = (turn.now, None, None);
        }
        if looks_over {
            state.leaves = record.keys.iter().any(|key| !key.is_there());
            if let (None, Some(recovery)) = (record.pending(), &record.recovery) {
                for key in record.keys.iter().filter(|key| key.is_there()) {
                    // What is sealed to other shares stays so: `jomae doctor` tells of it.
                    if let (None, Some(held)) = (places.escrow(key.id)?, self.keys.get(key.id)) {
                        places.keep_escrow(&EscrowFile::of(&held, key.made, recovery)?)?;
                    }
                }
            }
            state.looked_over = now;
        }
        state.works = true;
        Ok(())
    }

    fn clear_left(places: &Places, state: &mut State, record: &ShreddingRecord) -> Result<(), Fault> {
        let cleared = if state.leaves { Self::clear(places, record) } else { Ok(()) };
        state.leaves = cleared.is_err();
        cleared
    }

    /// Destroys what the store says is destroyed.
    fn clear(places: &Places, record: &ShreddingRecord) -> Result<(), Fault> {
        for key in &record.keys {
            if let Some(at) = key.destroyed {
                places.destroy(key.id, Timestamp(at))?;
            }
        }
        Ok(())
    }

    /// Seals every key to new shares, if there are any. Whether that was to be done.
    async fn escrow(&self, turn: &Turn<'_>, places: &Places, record: &ShreddingRecord) -> Result<bool, Fault> {
        let Some(recovery) = record.pending() else { return Ok(false) };
        // One that is there, and empty, may be the place at which the real one is mounted.
        if record.escrowed.is_none() || places.has_no_escrow() {
            places.begin_escrow()?;
        }
        for state in record.keys.iter().filter(|key| key.is_there()) {
            let key = self.keys.get(state.id).ok_or_else(|| Fault::internal("a shredding key is not in memory"))?;
            places.keep_escrow(&EscrowFile::of(&key, state.made, recovery)?)?;
        }
        let set = recovery.set.clone();
        let place = match turn.vault.cluster() {
            Some(_) => Some(places.claim_escrow(&set)?),
            None => record.escrow_place.clone(),
        };
        let change = |record: &mut ShreddingRecord| (record.escrowed, record.escrow_place) = (Some(set), place);
        turn.change(record, ("EscrowShreddingKeys", &[]), change).await?;
        Ok(true)
    }

    /// Makes the key of this month if there is none. Whether that was to be done.
    async fn make(
        &self,
        turn: &Turn<'_>,
        places: &Places,
        record: &ShreddingRecord,
        newest: Option<ShreddingKeyId>,
    ) -> Result<bool, Fault> {
        if !self.shreds {
            return Ok(false);
        }
        let month = month(turn.now)?;
        if is_of(newest, &month, turn.now.0)? {
            return Ok(false);
        }
        let Some(recovery) = &record.recovery else { return Err(no_shares()) };
        let made = turn.now.0;
        let id = ShreddingKeyId::random(&month).ok_or_else(|| Fault::internal("a month that is none"))?;
        let key = ShreddingKey::random(id).map_err(Fault::internal)?;
        // First where it is not lost with this machine.
        places.keep_escrow(&EscrowFile::of(&key, made, recovery)?)?;
        places.keep_key(&KeyFile::of(&key, made, turn.vault.keyring())?)?;
        self.keys.add(key);
        let new = KeyState { id, made, retired: None, destroyed: None };
        let shown = id.to_string();
        let event = ("CreateShreddingKey", &[("Key", shown.as_str())][..]);
        // If the store does not come to know of it, another node may adopt it: so nobody removes what was made for nothing.
        turn.change(record, event, |record| record.keys.push(new)).await?;
        Ok(true)
    }

    /// When the time of a key is over.
    fn end(&self, key: &KeyState) -> Option<i64> {
        key.retired.map(|retired| retired.saturating_add(self.retention_secs))
    }

    fn tell_late(&self, state: &State, record: &ShreddingRecord, now: Timestamp) {
        let there = record.keys.iter().filter(|key| key.is_there() && Some(key.id) != self.keys.target());
        let due = there.filter_map(|key| self.end(key)).find(|end| *end <= now.0);
        let left = record.keys.iter().filter_map(|key| key.destroyed).max().filter(|_| state.leaves);
        self.counts.late.set(due.or(left).map_or(0, |since| now.0 - since));
    }

    /// Wraps anew what is under another key than it should be, and retires and destroys keys that nothing needs.
    async fn let_go(
        &self,
        turn: &Turn<'_>,
        places: &Places,
        state: &mut State,
        record: &ShreddingRecord,
    ) -> Result<(), Fault> {
        let target = self.keys.target();
        let now = turn.now.0;
        // What was looked at while the clock ran ahead says nothing of later moments.
        state.clean = state.clean.filter(|at| *at <= turn.now);
        state.pass = state.pass.take().filter(|pass| pass.began <= turn.now);
        state.since = state.since.min(turn.now);
        let end = |key: &KeyState| self.end(key);
        let others = || record.keys.iter().filter(|key| key.is_there() && Some(key.id) != target);
        let settled = state.since.0 + GRACE_SECS;
        let to_retire = others().find(|key| key.retired.is_none() && settled <= now);
        let to_destroy = others().find(|key| end(key).is_some_and(|end| end <= now));
        self.tell_late(state, record, turn.now);
        let is_clean_since = |at: i64| state.clean.is_some_and(|clean| clean.0 >= at);

        if let Some(key) = to_retire
            && is_clean_since(settled)
        {
            let (id, text) = (key.id, key.id.to_string());
            let retire = |record: &mut ShreddingRecord| set(record, id, |key| key.retired = Some(now));
            return turn.change(record, ("RetireShreddingKey", &[("Key", &text)]), retire).await.map(drop);
        }
        if let Some(key) = to_destroy
            && end(key).is_some_and(is_clean_since)
        {
            // Nobody is told that a key is destroyed of which a copy is out of reach.
            places.expect_escrow()?;
            let (id, text) = (key.id, key.id.to_string());
            let destroy = |record: &mut ShreddingRecord| set(record, id, |key| key.destroyed = Some(now));
            if turn.change(record, ("DestroyShreddingKey", &[("Key", &text)]), destroy).await? {
                tracing::info!(key = %id, "destroys a shredding key: what was destroyed before is gone from older backups too");
                state.leaves = true;
            }
            return Ok(());
        }
        let is_old = |clean: Timestamp| (clean.0 < settled && settled <= now) || now - clean.0 >= LOOK_OVER_SECS;
        let looks_again = turn.vault.cluster().is_some() && state.clean.is_some_and(is_old);
        let is_due = state.clean.is_none() || to_retire.is_some() || to_destroy.is_some() || looks_again;
        if state.pass.is_none() && !is_due {
            return Ok(());
        }
        let pass = state.pass.get_or_insert_with(|| Pass::begin(turn.now));
        let Some(found) = pass.go_on(turn.vault, &self.keys).await? else { return Ok(()) };
        let began = pass.began;
        state.pass = None;
        self.counts.rewrapped.inc_by(found.rewrapped);
        if found.rewrapped == 0 {
            state.clean = Some(began);
        }
        tracing::info!(
            versions = found.versions,
            rewrapped = found.rewrapped,
            shredded = found.shredded,
            "looked at the shredding keys of all key versions"
        );
        Ok(())
    }
}

/// Whether a key is that of a month. One of a later month is not taken, made while the clock was wrong: it would be in use
/// until then. But clocks of nodes are apart a little.
fn is_of(newest: Option<ShreddingKeyId>, today: &str, now: i64) -> Result<bool, Fault> {
    let soon = month(Timestamp(now.saturating_add(CLOCKS_APART_SECS_MAX)))?;
    Ok(newest.is_some_and(|id| id.month() == today || id.month() == soon))
}

fn no_shares() -> Fault {
    Fault::unavailable(
        "destruction.mode = \"shred\" needs shares for the recovery of shredding keys: `jomae shred shares` makes \
         them, before the service is started with it",
    )
}

/// Keys in the directory that the store does not know of, also put into memory.
fn find_strays(
    keys: &ShreddingKeys,
    places: &Places,
    vault: &Vault,
    record: &ShreddingRecord,
) -> Result<Vec<KeyState>, PlaceError> {
    let mut strays = Vec::new();
    for id in places.list()? {
        // Those that are needed are read by name, and what is left of destroyed ones goes by itself.
        if record.find(id).is_some() {
            continue;
        }
        let file = match places.key(id) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%id, %error, "what is no shredding key is left alone");
                continue;
            }
        };
        match file.open(vault.keyring()) {
            Ok(key) => {
                keys.add(key);
                strays.push(KeyState { id, made: file.made, retired: None, destroyed: None });
            }
            Err(error) => tracing::warn!(%id, %error, "a shredding key of another store is left alone"),
        }
    }
    Ok(strays)
}

fn set(record: &mut ShreddingRecord, id: ShreddingKeyId, change: impl FnOnce(&mut KeyState)) {
    if let Some(key) = record.keys.iter_mut().find(|key| key.id == id) {
        change(key);
    }
}

fn of(service: &Service, now: Timestamp) -> Turn<'_> {
    let (vault, outbox, audit) = (&service.kms.vault, &service.outbox, &*service.audit);
    Turn { vault, outbox, audit, region: &service.default_region, now }
}

/// The key that enough shares give.
fn combine(id: ShreddingKeyId, set: &str, shares: &[Share]) -> Result<Key256, ShreddingError> {
    let set = ShareSet::from_line(set).ok_or(CombineError::Damaged);
    set.and_then(|set| set.combine(shares)).map_err(|source| ShreddingError::Combine { id, source })
}

fn read_shares(paths: &[PathBuf], identities: &[PathBuf]) -> Result<Vec<Share>, ShareFileError> {
    let identities = Identities::read(identities)?;
    let read = |path: &PathBuf| {
        let content = crate::files::read_configured(path, SEALED_BYTES_MAX)
            .map_err(|source| ShareFileError::Read { path: path.display().to_string(), source })?;
        identities.share(path, content)
    };
    paths.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
