//! Backups and drills that the service makes by itself, and those that the operator asks it for.

use std::{path::Path, sync::Arc, time::Duration};

use jomae_core::{service::Service, store::Store};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::{
    runtime::Handle,
    sync::{Mutex, watch},
    task::spawn_blocking,
};

use super::{BackupError, Made, Place, Source, Whose, Wish, chain, create, drill, drill::REPORTS, record};
use crate::{audit, bootstrap::Started, config::Config, files, gateway, root_key::Holder};

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// What can be watched. Moments are Unix seconds; 0: none yet.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    pub(crate) newest: Gauge,
    pub(crate) failures: Counter,
    pub(crate) drilled: Gauge,
    pub(crate) drill_failures: Counter,
}

/// Makes backups of a running service, one after the other.
pub(crate) struct Backups {
    service: Arc<Service>,
    store: Arc<dyn Store>,
    holder: Arc<Holder>,
    config: Config,
    turn: Mutex<()>,
    counts: Counts,
}

impl Backups {
    pub(crate) fn new(started: &Started, config: Config, counts: Counts) -> Self {
        let (service, holder) = (Arc::clone(&started.service), Arc::clone(&started.root_holder));
        let last = record::own(&service.kms.vault).unwrap_or_else(|fault| {
            tracing::warn!(cause = %fault, "cannot read when the last backup was made");
            None
        });
        counts.newest.set(last.map_or(0, |last| last.made));
        Self { service, store: started.store.store(), holder, config, turn: Mutex::default(), counts }
    }

    /// Makes one now, there or where the configuration says.
    pub(crate) async fn make(&self, to: Option<String>, whole: bool) -> Result<Made, BackupError> {
        let _turn = self.turn.lock().await;
        let (service, holder, config) = (Arc::clone(&self.service), Arc::clone(&self.holder), self.config.clone());
        let (store, handle) = (Arc::clone(&self.store), Handle::current());
        let made = spawn_blocking(move || {
            let mut place = Place::open(&config, to.as_deref(), to.is_some())?;
            let of = Source { store: &*store, vault: &service.kms.vault, holder: &holder };
            create(&config, &of, &mut place, whole, gateway::now(), &handle)
        });
        let made = made.await.map_err(|error| BackupError::Other(error.to_string())).and_then(|made| made);
        match &made {
            Ok(made) => {
                let now = gateway::now();
                for warning in &made.warnings {
                    tracing::warn!(warning, "the backup is made");
                }
                self.counts.newest.set(now.0);
                if let Err(fault) = record::keep(&self.service.kms.vault, made, now).await {
                    tracing::warn!(cause = %fault, "the backup is made, and that it is cannot be kept in the store");
                }
            }
            Err(_) => {
                self.counts.failures.inc();
            }
        }
        made
    }

    async fn hold_drill(&self) {
        let _turn = self.turn.lock().await;
        let (config, handle, service) = (self.config.clone(), Handle::current(), Arc::clone(&self.service));
        let held = spawn_blocking(move || {
            let mut place = Place::open(&config, None, false)?;
            // The newest backup may be another node's.
            let whose = Whose::SignedBy(audit::verifiers_of_all(&service.kms.vault)?);
            drill(&config, &mut place, &Wish { whose, ..Wish::default() }, &handle)
        });
        match held.await.map_err(|error| BackupError::Other(error.to_string())).and_then(|held| held) {
            Ok(drill) => {
                self.counts.drilled.set(drill.held.0);
                tracing::info!(backup = drill.backup, records = drill.records, "the drill has restored a backup");
            }
            Err(error) => {
                self.counts.drill_failures.inc();
                tracing::error!(%error, "the drill has failed: the newest backup would not restore");
            }
        }
    }

    /// When the newest backup was made, from what lies there. Gives whether that could be seen: a place that does not answer is
    /// a failure, though nothing is due yet.
    async fn recall(&self) -> bool {
        let config = self.config.clone();
        let found =
            spawn_blocking(move || Place::open(&config, None, false).and_then(|mut place| chain::list(&mut place)));
        match found.await.map_err(|error| BackupError::Other(error.to_string())).and_then(|found| found) {
            Ok(listed) => {
                let newest = listed.iter().map(|backup| backup.made.0).max().unwrap_or_default();
                self.counts.newest.set(newest);
                true
            }
            Err(error) => {
                self.counts.failures.inc();
                tracing::warn!(%error, "cannot look at the backups; will retry");
                false
            }
        }
    }

    /// When the last drill was held, by whomever: the command line leaves its report in the same place.
    async fn recall_drill(&self) {
        let reports = self.config.data_dir.join(REPORTS);
        if let Ok(drilled) = spawn_blocking(move || last_report(&reports)).await {
            self.counts.drilled.set(drilled.max(self.counts.drilled.get()));
        }
    }

    /// Does what is due until the service stops. After a failure it is tried again with the next look.
    pub(crate) async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let (hours, days) = (self.config.backup.every_hours, self.config.backup.drill_every_days);
        let mut has_looked = hours.is_none() && days.is_none();
        let is_due = |last: &Gauge, secs: i64| last.get() + secs <= gateway::now().0;
        loop {
            self.recall_drill().await;
            if !has_looked {
                has_looked = self.recall().await;
            }
            if hours.is_some_and(|hours| is_due(&self.counts.newest, i64::from(hours) * 3600)) {
                match self.make(None, false).await {
                    Ok(made) => {
                        let Made { id, records, bytes, .. } = made;
                        tracing::info!(id, records, bytes, "made a backup");
                    }
                    Err(error) => tracing::error!(%error, "cannot make a backup; will retry"),
                }
            }
            let has_backup = self.counts.newest.get() > 0;
            if has_backup && days.is_some_and(|days| is_due(&self.counts.drilled, i64::from(days) * 86_400)) {
                self.hold_drill().await;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// When the newest report was written.
fn last_report(dir: &Path) -> i64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let written = |entry: std::fs::DirEntry| {
        let modified = files::about(&entry.path()).ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    entries.filter_map(written).max().unwrap_or_default()
}
