//! Opening the log of the service: by its files, and by what the store knows of it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use jomae_api::{action::Effect, names::RegionId, time::Timestamp};
use jomae_core::{
    audit::{AuditSink as _, Durability, Event, OperatorAct, operator_event},
    call::new_request_id,
    cluster::record::NodeName,
    error::Fault,
    tx::Vault,
};
use jomae_crypto::secret::SecretBytes;
use jomae_log::{
    Checkpoint, Extent, FileError, Log, MEND, Settings, StateSource, TlogError, Trust, layout,
    tail::{self, TailKey},
    verify,
};

use super::{
    AuditLog, FormerLog,
    signing_key::{self, ChosenKey, KeyError},
};
use crate::{config, files, gateway, whole::Promised};

/// What the configuration says.
fn settings(dir: &Path, config: &config::Audit, state: StateSource) -> Settings {
    Settings {
        dir: dir.to_owned(),
        strict: config.durability == config::AuditDurability::Strict,
        segment_bytes_max: config.segment_bytes_max,
        rotate_daily: config.rotate_daily,
        checkpoint_every: Duration::from_secs(config.checkpoint_secs),
        retention_days: config.retention_days,
        compress_closed: config.compress_closed,
        archive: config.archive.as_ref().map(|archive| archive.to.clone()),
        state,
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

/// The checkpoints of a log, for [`promised`]. To be read before a store that is in use: the log runs behind it.
pub fn notes(dir: &Path) -> Result<Vec<String>, OpenError> {
    jomae_log::notes(dir).map_err(OpenError::io(&layout::checkpoints(dir)))
}

/// What the newest checkpoint of the log promises of the store whose key has signed it; and when the log last promised no more
/// than `changes`. Nothing, if no checkpoint says anything: a start finds out whether it is of this service at all.
pub fn promised(
    notes: &[String],
    vault: &Vault,
    node: Option<&NodeName>,
    changes: u64,
) -> Result<(Option<Promised>, Option<jomae_log::Timestamp>), OpenError> {
    let keys = signing_key::verifiers(vault, node).map_err(OpenError::Key)?;
    let of_note = |note: &String| keys.iter().find_map(|key| Checkpoint::open(note, key).ok());
    let newest = notes.last().and_then(of_note);
    let promised = newest.and_then(|newest| Some(Promised { state: newest.state?, at: newest.time }));
    let passed = |checkpoint: &Checkpoint| checkpoint.state.is_none_or(|state| state.changes <= changes);
    let passed = match promised {
        Some(promised) if promised.state.changes > changes => notes.iter().rev().filter_map(of_note).find(passed),
        _ => None,
    };
    Ok((promised, passed.map(|checkpoint| checkpoint.time)))
}

/// A log that a start has found right, and not written to yet.
pub struct Opened {
    pub(super) log: AuditLog,
    pub(super) tail_key: Arc<SecretBytes>,
    follows: Option<FormerLog>,
}

/// Opens the log of a service, or begins one. The key, and what is known of the log, are in the vault.
/// Checkpoints say what `state` knows of the store.
pub async fn open(dir: &Path, config: &config::Audit, vault: &Vault, state: StateSource) -> Result<Opened, OpenError> {
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
    let log = Arc::new(Log::open(settings(dir, config, state), signer, trust)?);
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
            let appended = log.append(&event, Durability::OnDisk);
            appended.done.wait().await.map_err(|error| OpenError::io(log.log.dir())(io::Error::other(error)))?;
        }
        Ok(log)
    }
}

/// The first event of a log that the operator has begun in the place of another.
fn begin_event(former: &FormerLog, origin: &str, region: &RegionId, now: Timestamp) -> Event {
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

/// Checks the log that belongs to a store, or to a node of one, in use or not, and changes nothing. None if the store
/// knows of no log, and there is none.
pub fn examine(dir: &Path, vault: &Vault, node: Option<&NodeName>) -> Result<Option<Examined>, ExamineError> {
    let there = jomae_log::has_log(dir).map_err(OpenError::io(dir))?;
    let Some((key, begun, known)) = signing_key::known(vault, node).map_err(OpenError::Key)? else {
        return if there { Err(OpenError::Unknown(dir.to_owned()).into()) } else { Ok(None) };
    };
    if !there {
        let former = Some(FormerLog { origin: key.name().to_owned(), head: known.map(|known| known.head) });
        return if begun { Err(OpenError::Gone { dir: dir.to_owned(), former }.into()) } else { Ok(None) };
    }
    let extent = jomae_log::extent(dir, &key, known.as_ref()).map_err(OpenError::Log)?;
    Ok(Some(Examined { report: verify::verify(dir, &key, &[])?, extent }))
}
