//! The audit log of the service: [`jomae_log`] with a key and a memory in the store, as the sink of the core's events.

mod signing_key;
mod witness;

#[cfg(test)]
mod trust_tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jomae_api::{action::Effect, actions::trail::lookup_events as wire, names::RegionId, time::Timestamp};
use jomae_core::{
    audit::{
        Appended, AuditError, AuditSink, Durability, OperatorAct,
        lookup::{Page, Query},
        operator_event,
    },
    error::Fault,
    service::new_request_id,
    store::BoxFuture,
    tx::Vault,
    wait::Work,
};
use jomae_crypto::secret::SecretBytes;
use jomae_log::{
    AppendStatus, Counts, Extent, FileError, Log, MEND, Settings, SyncCallback, TlogError, TreeHead, Trust, WriteError,
    event::Attribute,
    index, layout,
    tail::{self, TailKey},
    verify,
    witness::Witnesses,
};
use tokio::sync::oneshot;

pub use self::signing_key::FormerLog;
use self::signing_key::{ChosenKey, KeyError};
use crate::{config, files, gateway};

/// How often the store is told how far the log has come, if it has.
const HEAD_EVERY: Duration = Duration::from_secs(5);

/// What the configuration says.
fn settings(dir: &Path, config: &config::Audit) -> Settings {
    Settings {
        dir: dir.to_owned(),
        strict: config.durability == config::AuditDurability::Strict,
        segment_bytes_max: config.segment_bytes_max,
        rotate_daily: config.rotate_daily,
        checkpoint_every: Duration::from_secs(config.checkpoint_secs),
        retention_days: config.retention_days,
        clock: || jomae_log::Timestamp(gateway::now().0),
    }
}

/// Why the log is not opened; one line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Log(#[from] jomae_log::OpenError),
    #[error(
        "the audit log in {} is gone, but this service had one{}; put it back, or bring a backup back with \
         `jomae restore`; to begin a new log, start once with --new-audit-log", dir.display(), described(former.as_ref())
    )]
    Gone { dir: PathBuf, former: Option<FormerLog> },
    #[error(
        "--new-audit-log begins a new audit log where there is none, and there is one in {}: to begin a new one, move \
         the directory away and keep it; else start without the option", .0.display()
    )]
    NotGone(PathBuf),
    #[error("the audit log in {} is {origin}, which another log of this service has followed; {MEND}", dir.display())]
    Former { dir: PathBuf, origin: String },
    #[error("the audit log in {} has events, but the store has no key of a log; {MEND}", .0.display())]
    Unknown(PathBuf),
    #[error("the audit log in {} has events, but its checkpoints are gone; {MEND}", .0.display())]
    NoCheckpoint(PathBuf),
    #[error("audit.origin: {0}")]
    Origin(TlogError),
    #[error("the key of the audit log: {0}")]
    Key(#[from] Fault),
}

/// A log that is not there, for a sentence.
fn described(former: Option<&FormerLog>) -> String {
    match former {
        Some(FormerLog { origin, head: Some(head) }) => {
            format!(": {origin}, of {} events with the root {}", head.size, head.root_text())
        }
        Some(FormerLog { origin, head: None }) => format!(": {origin}"),
        None => String::new(),
    }
}

impl OpenError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let of_file = FileError::of(path);
        move |error| Self::Log(of_file(error).into())
    }

    fn of_key(dir: &Path, error: KeyError) -> Self {
        let dir = dir.to_owned();
        match error {
            KeyError::Origin(why) => Self::Origin(why),
            KeyError::Fault(fault) => Self::Key(fault),
            KeyError::NoCheckpoint => Self::NoCheckpoint(dir),
            KeyError::Foreign(why) => Self::Log(jomae_log::OpenError::ForeignCheckpoint { dir, why }),
            KeyError::Former(origin) => Self::Former { dir, origin },
            KeyError::Gone(former) => Self::Gone { dir, former },
            KeyError::Unknown => Self::Unknown(dir),
            KeyError::NotGone => Self::NotGone(dir),
        }
    }
}

/// The audit log of the service.
pub struct AuditLog {
    log: Arc<Log>,
    /// What the store knows, and since when.
    stored_head: Mutex<Option<(TreeHead, Instant)>>,
}

/// A log that a start has found right, and not written to yet.
pub struct Opened {
    log: AuditLog,
    tail_key: Arc<SecretBytes>,
    follows: Option<FormerLog>,
}

/// Opens the log of a service, or begins one. The key, and what is known of the log, are in the vault.
pub async fn open(dir: &Path, config: &config::Audit, vault: &Vault) -> Result<Opened, OpenError> {
    files::check_dir(dir).map_err(OpenError::io(dir))?;
    let note = jomae_log::newest_note(dir).map_err(OpenError::io(&layout::checkpoints(dir)))?;
    let log = jomae_log::has_log(dir).map_err(OpenError::io(dir))?;
    let found = signing_key::LogFiles { log, newest_note: note.as_deref() };
    let wanted = signing_key::KeyRequest { origin: config.origin.as_deref(), new_log: config.begin_new };
    let chosen = signing_key::load_or_create(vault, &wanted, &found, gateway::now()).await;
    let ChosenKey { signer, known, follows } = chosen.map_err(|error| OpenError::of_key(dir, error))?;
    files::private_dir(dir).map_err(OpenError::io(dir))?;
    let tail_key = Arc::new(SecretBytes::random(tail::KEY_BYTES));
    let trust = Trust { known, tail_key: TailKey::new(signer.name(), Arc::clone(&tail_key)) };
    let log = Arc::new(Log::open(settings(dir, config), signer, trust)?);
    Ok(Opened { log: AuditLog { log, stored_head: Mutex::default() }, tail_key, follows })
}

impl Opened {
    /// Tells the store that the log goes on from here, so that events can be written: from now on it expects them.
    /// `region` is where events of the log itself are said to happen.
    pub async fn begin(self, vault: &Vault, region: &RegionId) -> Result<AuditLog, OpenError> {
        let Self { log, tail_key, follows } = self;
        if let Some(head) = log.log.head() {
            signing_key::begin(vault, log.log.verifier(), head, &tail_key).await?;
            log.note_stored(head);
        }
        if let Some(former) = follows.filter(|_| log.counts().size == 0) {
            let event = begin_event(&former, log.log.verifier().name(), region, gateway::now());
            let appended = log.append(event, Durability::OnDisk);
            appended.done.wait().await.map_err(|error| OpenError::io(log.log.dir())(io::Error::other(error)))?;
        }
        Ok(log)
    }
}

/// The first event of a log that the operator has begun in the place of another.
fn begin_event(former: &FormerLog, origin: &str, region: &RegionId, now: Timestamp) -> Vec<u8> {
    let size = former.head.map(|head| head.size.to_string()).unwrap_or_default();
    let root = former.head.map(|head| head.root_text()).unwrap_or_default();
    let mut parameters = vec![("Origin", origin), ("FormerOrigin", former.origin.as_str())];
    if former.head.is_some() {
        parameters.extend([("FormerSize", size.as_str()), ("FormerRoot", root.as_str())]);
    }
    let act = OperatorAct {
        name: "BeginAuditLog",
        effect: Effect::Write,
        region,
        account: None,
        parameters: &parameters,
        resources: &[],
    };
    operator_event(&act, &new_request_id(), now)
}

/// What was found of a log.
pub struct Examined {
    /// What a check off line says, with the key from the store.
    pub report: verify::Report,
    pub extent: Extent,
}

/// Why a log is not what the store knows of; one line.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
}

/// Checks the log that belongs to a store, in use or not, and changes nothing. None if the store knows of no log, and
/// there is none.
pub fn examine(dir: &Path, vault: &Vault) -> Result<Option<Examined>, ExamineError> {
    let there = jomae_log::has_log(dir).map_err(OpenError::io(dir))?;
    let Some((key, begun, known)) = signing_key::known(vault).map_err(OpenError::Key)? else {
        return if there { Err(OpenError::Unknown(dir.to_owned()).into()) } else { Ok(None) };
    };
    if !there {
        let former = Some(FormerLog { origin: key.name().to_owned(), head: known.map(|known| known.head) });
        return if begun { Err(OpenError::Gone { dir: dir.to_owned(), former }.into()) } else { Ok(None) };
    }
    let extent = jomae_log::extent(dir, &key, known.as_ref()).map_err(OpenError::Log)?;
    Ok(Some(Examined { report: verify::verify(dir, &key, &[])?, extent }))
}

impl AuditLog {
    fn note_stored(&self, head: TreeHead) {
        *self.stored_head.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, Instant::now()));
    }

    /// Tells the store how far the log has come, if a segment was closed or some seconds have passed since it was told;
    /// to be called every now and then. No call waits for it.
    pub async fn keep_head(&self, vault: &Vault) -> Result<(), Fault> {
        let Some(head) = self.log.head() else { return Ok(()) };
        let rotated = self.log.has_rotated();
        let stored = *self.stored_head.lock().unwrap_or_else(PoisonError::into_inner);
        let due = stored.is_none_or(|(stored, at)| stored != head && (rotated || at.elapsed() >= HEAD_EVERY));
        if due {
            signing_key::keep_head(vault, self.log.verifier(), head, false).await?;
            self.note_stored(head);
        }
        Ok(())
    }

    /// Tells the store where the log ends, once it is closed.
    pub async fn keep_end(&self, vault: &Vault) -> Result<(), Fault> {
        let Some(head) = self.log.head() else { return Ok(()) };
        // What was written last may have no checkpoint.
        signing_key::keep_head(vault, self.log.verifier(), head, self.log.is_covered()).await
    }

    /// What can be watched.
    pub fn counts(&self) -> Counts {
        self.log.counts()
    }

    /// Begins to send checkpoints where the configuration says. Must be called within a runtime.
    pub fn send_to_witnesses(&self, config: &config::Audit) -> io::Result<Witnesses> {
        self.log.send_to(witness::of(config)?)
    }

    /// Begins to keep the look-up index up to date, as long as there is the log.
    pub fn keep_indexed(&self) -> io::Result<()> {
        self.log.keep_indexed()
    }

    /// Writes what is in the buffer, signs it, and ends. What is appended afterwards is refused.
    pub fn close(&self) {
        self.log.close();
    }
}

fn not_written(error: &WriteError) -> AuditError {
    AuditError(error.to_string())
}

impl AuditSink for AuditLog {
    fn is_writable(&self) -> bool {
        self.log.is_writable()
    }

    fn append(&self, event: Vec<u8>, durability: Durability) -> Appended<'_> {
        let mut synced = None;
        let callback = || -> SyncCallback {
            let (sender, receiver) = oneshot::channel();
            synced = Some(receiver);
            Box::new(move |result| {
                let _ = sender.send(result);
            })
        };
        let jomae_log::Appended { index, status } = self.log.append(&event, durability == Durability::OnDisk, callback);
        let done = match (status, synced) {
            (AppendStatus::Rejected(why), _) => Work::Done(Err(not_written(&why))),
            (AppendStatus::AwaitingSync, Some(synced)) => Work::Later(Box::pin(async move {
                let result = synced.await.unwrap_or_else(|_| Err(WriteError::closed()));
                result.map_err(|why| not_written(&why))
            })),
            (AppendStatus::Buffered | AppendStatus::AwaitingSync, _) => Work::Done(Ok(())),
        };
        Appended { index, done }
    }

    fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, AuditError> {
        self.log.find(event_ids).map_err(|error| AuditError(error.to_string()))
    }

    fn receipt(&self, index: u64, event: &[u8], event_id: &str, now: Timestamp) -> Result<String, AuditError> {
        let receipt = self.log.receipt(index, event, event_id, jomae_log::Timestamp(now.0));
        receipt.map_err(|error| AuditError(error.to_string()))
    }

    fn lookup<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, AuditError>> {
        let (log, query) = (Arc::clone(&self.log), of_log(query));
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || log.lookup(&query)).await;
            let found = found.map_err(|error| AuditError(error.to_string()))?;
            let index::Page { events, next } = found.map_err(|error| AuditError(error.to_string()))?;
            Ok(Page { events, next })
        })
    }
}

/// What is asked, in the log's own terms.
fn of_log(query: &Query) -> index::Query {
    let attribute = |attribute: wire::Attribute| match attribute {
        wire::Attribute::ServiceName => Attribute::ServiceName,
        wire::Attribute::EventName => Attribute::EventName,
        wire::Attribute::User => Attribute::User,
        wire::Attribute::EventId => Attribute::EventId,
        wire::Attribute::ResourceType => Attribute::ResourceType,
        wire::Attribute::ResourceName => Attribute::ResourceName,
        wire::Attribute::EventRW => Attribute::EventRW,
        wire::Attribute::EventAccessKeyId => Attribute::EventAccessKeyId,
        wire::Attribute::SourceIpAddress => Attribute::SourceIpAddress,
        wire::Attribute::EventType => Attribute::EventType,
        wire::Attribute::RoleName => Attribute::RoleName,
    };
    index::Query {
        account: query.account.as_str().to_owned(),
        from: jomae_log::Timestamp(query.from.0),
        to: jomae_log::Timestamp(query.to.0),
        attributes: query.attributes.iter().map(|(name, value)| (attribute(*name), value.clone())).collect(),
        direction: match query.direction {
            wire::Direction::Backward => index::Direction::Backward,
            wire::Direction::Forward => index::Direction::Forward,
        },
        limit: query.limit,
        after: query.after,
    }
}
