//! The store as a whole against what the audit log promises of it: at a start, while the service runs, and when an operator
//! goes on with what is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use jomae_api::{action::Effect, names::RegionId};
use jomae_core::{
    audit::{AuditError, AuditSink as _, Durability, OperatorAct, operator_event},
    call::new_request_id,
    cluster::{self, Cluster, record::NodeName},
    error::Fault,
    store::Path,
    tx::{CommitOutcome, Vault},
    whole::{
        Accepted, Found, Trouble, WholeStore,
        record::{ACCEPTED, AcceptedRecord},
    },
};
use jomae_log::{StateSource, StoreState};

use crate::{audit::AuditLog, config::StoreConfig, gateway};

/// What an operator can do.
const MEND: &str = "nothing was changed: `jomae restore` brings a backup back; to go on with the store as it is, start once \
                    with --accept-rollback";
/// How long the log may run ahead of the store in a backup, in seconds: it is copied after the store, and may be large.
const BACKUP_SECS_MAX: i64 = 3600;
/// How long a cluster has kept the hash before it is begun: commits of older versions have ended by then.
const OLD_COMMITS: Duration = Duration::from_secs(30);
/// How long a start waits until the hash is kept, so that something can be accepted.
const COUNTING_WAIT: Duration = Duration::from_secs(30);
const COUNTING_STEP: Duration = Duration::from_millis(200);
/// Records between two looks at the clock.
const PACE_RECORDS: u64 = 256;

/// Why a store is not used; one line.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    #[error("{0}; {MEND}")]
    Trouble(Trouble),
    #[error(
        "the store is older than its audit log promises: {lost} changes would be lost, the newest at {newest} (UTC); {MEND}"
    )]
    Older { lost: u64, newest: jomae_log::Timestamp },
    #[error(
        "the store is another one than its audit log promises: it has had {changes} changes, and not the same ones; {MEND}"
    )]
    Other { changes: u64 },
    #[error(
        "the store does not say what has been changed in it, and its audit log promises {promised} changes, the newest at \
         {newest} (UTC): it is older, or that was removed; {MEND}"
    )]
    Silent { promised: u64, newest: jomae_log::Timestamp },
}

/// What the newest checkpoint of the log says of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    pub state: StoreState,
    pub at: jomae_log::Timestamp,
}

/// Whether a store is what it was, and no less than was promised of it.
pub fn judge(found: &Result<Found, Trouble>, promised: Option<&Promised>) -> Result<(), WholeError> {
    let found = found.as_ref().map_err(|trouble| WholeError::Trouble(trouble.clone()))?;
    let Some(Promised { state: promised, at }) = promised else { return Ok(()) };
    match found.state {
        None => Err(WholeError::Silent { promised: promised.changes, newest: *at }),
        Some(state) if state.changes < promised.changes => {
            Err(WholeError::Older { lost: promised.changes - state.changes, newest: *at })
        }
        Some(state) if state.changes == promised.changes && state.digest != promised.digest => {
            Err(WholeError::Other { changes: state.changes })
        }
        Some(_) => Ok(()),
    }
}

/// What is wrong, for whoever is told otherwise what to do.
pub fn without_advice(why: &WholeError) -> String {
    let text = why.to_string();
    text.strip_suffix(MEND).and_then(|text| text.strip_suffix("; ")).unwrap_or(&text).to_owned()
}

/// Whether a store is behind its log by no more than the time for which the log went on while a backup was made. `passed`
/// is when the log promised at most what the store has.
pub fn is_of_one_backup(why: &WholeError, promised: Option<&Promised>, passed: Option<jomae_log::Timestamp>) -> bool {
    let within = |promised: &Promised| passed.is_some_and(|at| promised.at.0 - at.0 <= BACKUP_SECS_MAX);
    matches!(why, WholeError::Older { .. }) && promised.is_some_and(within)
}

/// For the log to ask.
pub fn source(whole: &Arc<WholeStore>) -> StateSource {
    let whole = Arc::downgrade(whole);
    StateSource::new(move || {
        let whole = whole.upgrade()?;
        // What other nodes have done is promised, too. If something went back, it was noted, and less is not promised.
        let _ = whole.refresh();
        let state = whole.state()?;
        Some(StoreState { changes: state.changes, digest: state.digest })
    })
}

/// Where stands what an operator has accepted, until it is told in the log of this node.
pub(crate) fn accepted_path(node: Option<&NodeName>) -> Path {
    node.map_or_else(|| Path::new(ACCEPTED), |name| Path::new(format!("{ACCEPTED}/{name}")))
}

/// Goes on with the store as it is, whatever was promised: the next start with a log tells of it.
pub async fn accept(
    whole: &WholeStore,
    vault: &Vault,
    found: &Result<Found, Trouble>,
    promised: Option<&Promised>,
) -> Result<Accepted, Fault> {
    let waiting = Instant::now();
    while !whole.is_counting()? && waiting.elapsed() < COUNTING_WAIT {
        tokio::time::sleep(COUNTING_STEP).await;
    }
    let trouble = found.as_ref().err().map(ToString::to_string);
    // First, so that nothing is accepted of which nobody is told.
    let mut tx = vault.writing();
    let path = accepted_path(vault.cluster().map(Cluster::name));
    tx.get::<AcceptedRecord>(&path)?;
    let has = found.as_ref().ok().and_then(|found| found.state);
    let record = AcceptedRecord {
        at: gateway::now().0,
        promised: promised.map_or(0, |promised| promised.state.changes),
        promised_at: promised.map_or(0, |promised| promised.at.0),
        found: has.map_or(0, |state| state.changes),
        trouble,
    };
    tx.put(path, &record)?;
    if tx.commit().await? == CommitOutcome::Conflict {
        return Err(Fault::unavailable("another process has just accepted the store"));
    }
    whole.accept(record.promised, Vec::new()).await
}

/// Tells in the log what an operator has accepted, if that was not told yet.
pub async fn tell(vault: &Vault, log: &AuditLog, region: &RegionId) -> Result<(), Fault> {
    let mut tx = vault.writing();
    let path = accepted_path(vault.cluster().map(Cluster::name));
    let Some(record) = tx.get::<AcceptedRecord>(&path)? else { return Ok(()) };
    let date = |secs| jomae_log::Timestamp(secs).to_string();
    let numbers = [record.promised, record.found, record.promised.saturating_sub(record.found)].map(|n| n.to_string());
    let (promised_at, accepted_at) = (date(record.promised_at), date(record.at));
    let mut parameters = vec![
        ("Promised", numbers[0].as_str()),
        ("PromisedAt", promised_at.as_str()),
        ("Found", numbers[1].as_str()),
        ("Lost", numbers[2].as_str()),
        ("AcceptedAt", accepted_at.as_str()),
    ];
    if let Some(trouble) = &record.trouble {
        parameters.push(("Trouble", trouble.as_str()));
    }
    event(log, "AcceptRollback", &parameters, region).await?;
    tracing::warn!(
        promised = record.promised,
        found = record.found,
        "the store is older than was promised, or was changed beside the service, and an operator has accepted that"
    );
    tx.delete::<AcceptedRecord>(path);
    // Told twice is better than not at all.
    tx.commit().await.map(drop)
}

async fn event(
    log: &AuditLog,
    name: &'static str,
    parameters: &[(&str, &str)],
    region: &RegionId,
) -> Result<(), Fault> {
    let act = OperatorAct { name, effect: Effect::Write, region, account: None, parameters, resources: &[] };
    let event = operator_event(&act, &new_request_id(), gateway::now());
    log.append(&event, Durability::OnDisk).done.wait().await.map_err(|AuditError(why)| Fault::unavailable(why))
}

/// Tells that from now on a rollback is noticed, in a store that was in use before.
pub async fn tell_begun(begun: &Accepted, log: &AuditLog, region: &RegionId) -> Result<(), Fault> {
    tracing::info!(records = begun.records, "from now on the store is compared with a hash over all of its records");
    event(log, "BeginRollbackDetection", &[("Records", &begun.records.to_string())], region).await
}

/// Begins the hash of a store whose floor of stored forms is high enough; None if there is one already.
pub async fn begin(whole: &WholeStore, vault: &Vault) -> Result<Option<Accepted>, Fault> {
    if whole.has_base() || !whole.is_counting()? {
        return Ok(None);
    }
    let work = cluster::record::work();
    let expect = match vault.cluster() {
        Some(cluster) if cluster.has_work() => {
            let held = vault.store().get(work.as_str())?;
            vec![(work, held.map(|entry| entry.revision))]
        }
        Some(_) => return Ok(None),
        None => Vec::new(),
    };
    whole.accept(0, expect).await.map(Some)
}

/// What the last counts have found, for metrics.
#[derive(Default)]
pub struct Verified {
    runs: AtomicU64,
    records: AtomicU64,
    at: AtomicI64,
}

impl Verified {
    /// A count that has found everything right.
    pub fn note(&self, found: &Found) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.records.store(found.records, Ordering::Relaxed);
        self.at.store(gateway::now().0, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Records in the last one.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Seconds since the last one.
    pub fn age_secs(&self) -> u64 {
        u64::try_from(gateway::now().0.saturating_sub(self.at.load(Ordering::Relaxed))).unwrap_or(0)
    }
}

/// Counts the store again every now and then, until it is dropped.
pub struct Verifier {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Verifier {
    /// As the configuration says; it may say never.
    pub fn start(whole: Arc<WholeStore>, verified: Arc<Verified>, config: &StoreConfig) -> std::io::Result<Self> {
        let (every, per_second) = (Duration::from_secs(config.verify_every_secs), config.verify_records_per_sec);
        if every.is_zero() {
            return Ok(Self { stop: None, thread: None });
        }
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("store-verifier".to_owned()).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if !verify(&whole, &verified, per_second, &stopped) {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether to go on.
fn verify(whole: &WholeStore, verified: &Verified, per_second: u64, stopped: &mpsc::Receiver<()>) -> bool {
    let begun = Instant::now();
    let pace = |records: u64| {
        if !records.is_multiple_of(PACE_RECORDS) {
            return true;
        }
        let due = Duration::from_millis(records.saturating_mul(1000) / per_second.max(1));
        let wait = due.saturating_sub(begun.elapsed());
        if wait.is_zero() {
            stopped.try_recv() == Err(TryRecvError::Empty)
        } else {
            stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
        }
    };
    match whole.check(pace) {
        Ok(Ok(found)) => {
            verified.note(&found);
            tracing::debug!(records = found.records, "the store is what was written to it");
            true
        }
        Ok(Err(trouble)) => {
            whole.fail(&trouble);
            tracing::error!(%trouble, "the store was changed beside the service, or went back: nothing is served any more");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "the store cannot be compared with its hash now; will retry");
            true
        }
    }
}

/// Since when a cluster has kept the hash, and has not begun it.
#[derive(Default)]
pub struct Beginning(std::sync::Mutex<Option<Instant>>);

impl Beginning {
    /// Whether that is long enough.
    fn is_due(&self, is_counting: bool) -> bool {
        let mut since = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !is_counting {
            *since = None;
            return false;
        }
        since.get_or_insert_with(Instant::now).elapsed() >= OLD_COMMITS
    }
}

/// To be called every second: looks at what other nodes have done, and begins the hash when all of them keep it.
pub async fn keep(
    whole: &Arc<WholeStore>,
    vault: &Vault,
    beginning: &Beginning,
    log: &AuditLog,
    region: &RegionId,
) -> Result<(), Fault> {
    if vault.cluster().is_none() {
        return Ok(());
    }
    whole.refresh().inspect_err(|fault| {
        tracing::error!(cause = %fault, "what the store keeps of its hash cannot be used");
    })?;
    if whole.has_base() || !beginning.is_due(whole.is_counting()?) {
        return Ok(());
    }
    if let Some(begun) = begin(whole, vault).await? {
        tell_begun(&begun, log, region).await?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
