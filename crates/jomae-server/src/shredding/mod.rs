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

mod examined;
mod places;
mod restored;

use std::{path::PathBuf, sync::Arc, time::Duration};

use jomae_api::{names::RegionId, time::Timestamp};
use jomae_core::{
    audit::AuditSink,
    audit::outbox::Outbox,
    error::Fault,
    service::Service,
    shredding::{
        ShreddingKeys,
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
};

pub(crate) use examined::examine;
pub use places::{PlaceError, Places};
pub(crate) use restored::{after_restore, recover};

use crate::{
    config::{Config, Destruction, StoreKind},
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

/// Why shredding keys do not let a service start, or be restored; one line.
#[derive(Debug, thiserror::Error)]
pub enum ShreddingError {
    #[error(
        "the store has shredding keys: destruction.keys_dir and escrow_dir must say where, also after they were turned off"
    )]
    NoPlaces,
    #[error(
        "the store has shredding keys, which nodes of a cluster cannot use: turn them off first (docs/tasks/destruction.md)"
    )]
    Cluster,
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
    /// Since when new material goes where it goes now.
    since: Timestamp,
    pass: Option<Pass>,
    /// When the last pass began that has found nothing to do since then.
    clean: Option<Timestamp>,
    /// Keys that the store does not know of.
    strays: Vec<KeyState>,
    /// Whether destroyed keys may still be in the directories.
    leaves: bool,
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
        let needs_keys = record.keys.iter().any(KeyState::is_there);
        if needs_keys && config.store.kind == StoreKind::Etcd {
            return Err(ShreddingError::Cluster);
        }
        if needs_keys && places.is_none() {
            return Err(ShreddingError::NoPlaces);
        }
        let keys = Arc::new(ShreddingKeys::default());
        let mut strays = Vec::new();
        if let Some(places) = &places {
            for state in record.keys.iter().filter(|key| key.is_there()) {
                keys.add(restored::expect_key(places, vault, state.id)?);
            }
            for id in places.list()? {
                // Those that are needed were read above, and what is left of destroyed ones goes with the first turn.
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
        }
        let shreds = config.destruction.mode == Destruction::Shred;
        let kept = config.backup.keep_days;
        if shreds && config.backup.to.is_some() && kept.is_none_or(|days| days > config.destruction.retention_days) {
            tracing::warn!(
                retention_days = config.destruction.retention_days,
                "backups are kept for longer than shredding keys: the older ones will not have any key material"
            );
        }
        let leaves = record.keys.iter().any(|key| !key.is_there());
        let state = State { since: now, pass: None, clean: None, strays, leaves, retry_at: 0 };
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
        let newest = record.newest();
        if self.keys.target().is_none() {
            self.aim(state, newest.filter(|_| self.shreds), turn.now)?;
        }
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
        let cleared = if state.leaves { self.clear(places, &record) } else { Ok(()) };
        state.leaves = cleared.is_err();
        let target = self.target(turn, places, &record, newest).await?;
        self.aim(state, target, turn.now)?;
        self.let_go(turn, places, state, &record).await?;
        cleared
    }

    fn aim(&self, state: &mut State, target: Option<ShreddingKeyId>, now: Timestamp) -> Result<(), Fault> {
        if self.keys.target() != target {
            self.keys.aim(target)?;
            (state.since, state.clean, state.pass) = (now, None, None);
        }
        Ok(())
    }

    /// Destroys what the store says is destroyed.
    fn clear(&self, places: &Places, record: &ShreddingRecord) -> Result<(), Fault> {
        for key in &record.keys {
            if let Some(at) = key.destroyed {
                self.keys.remove(key.id);
                places.destroy(key.id, Timestamp(at))?;
            }
        }
        Ok(())
    }

    /// Seals every key to new shares, if there are any. Whether that was to be done.
    async fn escrow(&self, turn: &Turn<'_>, places: &Places, record: &ShreddingRecord) -> Result<bool, Fault> {
        let Some(recovery) = record.recovery.as_ref().filter(|new| record.escrowed.as_ref() != Some(&new.set)) else {
            return Ok(false);
        };
        // One that is there, and empty, may be the place at which the real one is mounted.
        if record.escrowed.is_none() || places.has_no_escrow() {
            places.begin_escrow()?;
        }
        for state in record.keys.iter().filter(|key| key.is_there()) {
            let key = self.keys.get(state.id).ok_or_else(|| Fault::internal("a shredding key is not in memory"))?;
            places.keep_escrow(&EscrowFile::of(&key, state.made, recovery)?)?;
        }
        let set = recovery.set.clone();
        turn.change(record, ("EscrowShreddingKeys", &[]), |record| record.escrowed = Some(set)).await?;
        Ok(true)
    }

    /// Under which key new material goes: that of this month, which is made if there is none.
    async fn target(
        &self,
        turn: &Turn<'_>,
        places: &Places,
        record: &ShreddingRecord,
        newest: Option<ShreddingKeyId>,
    ) -> Result<Option<ShreddingKeyId>, Fault> {
        if !self.shreds {
            return Ok(None);
        }
        let month = month(turn.now)?;
        // Nor is one of a later month taken, made while the clock was wrong: it would be in use until then.
        if newest.is_some_and(|id| id.month() == month) {
            return Ok(newest);
        }
        let Some(recovery) = &record.recovery else {
            return Err(Fault::unavailable(
                "destruction.mode = \"shred\" needs shares for the recovery of shredding keys: `jomae shred shares` makes \
                 them, before the service is started with it",
            ));
        };
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
        let is_made = turn.change(record, event, |record| record.keys.push(new)).await?;
        // Until the store knows of it, the one before stays in use.
        Ok(if is_made { Some(id) } else { self.keys.target() })
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
        let end = |key: &KeyState| key.retired.map(|retired| retired.saturating_add(self.retention_secs));
        let others = || record.keys.iter().filter(|key| key.is_there() && Some(key.id) != target);
        let settled = state.since.0 + GRACE_SECS;
        let to_retire = others().find(|key| key.retired.is_none() && settled <= now);
        let to_destroy = others().find(|key| end(key).is_some_and(|end| end <= now));
        let left = record.keys.iter().filter_map(|key| key.destroyed).max().filter(|_| state.leaves);
        let late = to_destroy.and_then(end).or(left).map_or(0, |since| now - since);
        self.counts.late.set(late);
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
        let is_due = state.clean.is_none() || to_retire.is_some() || to_destroy.is_some();
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
