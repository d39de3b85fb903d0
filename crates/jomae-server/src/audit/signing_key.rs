//! The key that signs checkpoints and receipts: a sealed record of the store.
//!
//! Every log has a key of its own, and the same record knows how far that log had come: a start must find a log that
//! goes on from there. Without the record no log is opened, so that neither can be taken away alone. If the operator
//! begins a new log, it gets a new key, and the record keeps the old one with the end of its log.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::time::Timestamp;
use jomae_core::{
    cluster::{Cluster, record::NodeName},
    error::Fault,
    form, root,
    store::{Path, SCAN_LIMIT_MAX},
    stored::plain_records,
    tx::{CommitOutcome, Vault},
};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    rng,
    secret::SecretBytes,
};
use jomae_log::{Checkpoint, KnownHead, Signer, TlogError, TreeHead, VerifierKey, tail::TailKey};
use serde::{Deserialize, Serialize};

use crate::{backup, secret_text::SecretText};

/// Where the keys stand: those of a node of a cluster below this, under its name.
pub(crate) const PATH: &str = "sys/audit-key";

/// Where they stand: each node of a cluster has a log of its own.
pub(crate) fn path_of(node: Option<&NodeName>) -> Path {
    node.map_or_else(|| Path::new(PATH), |name| Path::new(format!("{PATH}/{name}")))
}

fn path(vault: &Vault) -> Path {
    path_of(vault.cluster().map(Cluster::name))
}

/// Room for a record, so that no copy of it is left behind while it grows, in bytes.
const RECORD_BYTES: usize = 64 * 1024;

/// The keys of all logs that there have been, oldest first.
#[derive(Default, Serialize, Deserialize)]
struct KeysRecord {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    /// Name of the key, and origin of its log.
    name: String,
    created: i64,
    /// Whether its log has a checkpoint.
    begun: bool,
    private: SecretText,
    /// How far its log has come, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<HeadRecord>,
}

#[derive(Serialize, Deserialize)]
struct HeadRecord {
    /// Events that were on disk, covered by a signed checkpoint.
    size: u64,
    /// The root over them, as Base64 text.
    root: String,
    /// Whether nothing was written after them: the service was stopped.
    stopped: bool,
    /// The key of the MACs over what comes after them.
    tail_key: SecretText,
}

plain_records!(form: 1, bears_rights: false, room: RECORD_BYTES; KeysRecord);

/// What signs with a key that a record has.
pub(crate) fn signer_of(name: &str, private: &SecretText) -> Result<Signer, Fault> {
    let key = PrivateKey::from_pkcs8(AsymSpec::Ed25519, private.0.expose()).map_err(Fault::internal)?;
    Signer::new(name, key).map_err(Fault::internal)
}

impl StoredKey {
    fn signer(&self) -> Result<Signer, Fault> {
        signer_of(&self.name, &self.private)
    }

    fn head(&self) -> Result<Option<TreeHead>, Fault> {
        let root = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        self.head.as_ref().map_or(Ok(None), |head| match root(&head.root) {
            Some(root) => Ok(Some(TreeHead { size: head.size, root })),
            None => Err(Fault::internal("the head of the audit log has no root")),
        })
    }

    fn known(&self) -> Result<Option<KnownHead>, Fault> {
        let (Some(record), Some(head)) = (&self.head, self.head()?) else { return Ok(None) };
        let tail_key = TailKey::new(&self.name, Arc::new(record.tail_key.copy().0));
        Ok(Some(KnownHead { head, stopped: record.stopped, tail_key }))
    }

    fn copy(&self) -> Self {
        Self {
            name: self.name.clone(),
            created: self.created,
            begun: self.begun,
            private: self.private.copy(),
            head: self.head.as_ref().map(|head| HeadRecord {
                size: head.size,
                root: head.root.clone(),
                stopped: head.stopped,
                tail_key: head.tail_key.copy(),
            }),
        }
    }
}

/// A log that another one has followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerLog {
    pub origin: String,
    /// How far it had come, if that is known.
    pub head: Option<TreeHead>,
}

/// Why there is no key for a log.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("{0}")]
    Origin(TlogError),
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The log has events; its key has signed checkpoints; and none is there.
    #[error("the checkpoints are gone")]
    NoCheckpoint,
    #[error("{0}")]
    Foreign(TlogError),
    /// A log of this name that another one has followed.
    #[error("a former log")]
    Former(String),
    /// There was a log, and there is none.
    #[error("the log is gone")]
    Gone(Option<FormerLog>),
    /// There is a log, and the store has never heard of any.
    #[error("a log without its key")]
    Unknown,
    /// A new log was asked for where there is one.
    #[error("there is a log")]
    NotGone,
}

/// What is in the directory that needs a key.
pub(super) struct LogFiles<'a> {
    /// Whether there is a log at all.
    pub log: bool,
    /// Its newest checkpoint.
    pub newest_note: Option<&'a str>,
}

/// What the operator wants.
pub(super) struct KeyRequest<'a> {
    /// What a new key is to be called.
    pub origin: Option<&'a str>,
    /// Whether a new log begins where there is none any more.
    pub new_log: bool,
}

/// The key of a log, and what is known of it.
pub(super) struct ChosenKey {
    pub signer: Signer,
    pub known: Option<KnownHead>,
    /// The log that this one follows; to be told of if it has no event yet.
    pub follows: Option<FormerLog>,
}

/// The key of the log that was found, or a new one for a log that begins.
pub(super) async fn load_or_create(
    vault: &Vault,
    wanted: &KeyRequest<'_>,
    found: &LogFiles<'_>,
    now: Timestamp,
) -> Result<ChosenKey, KeyError> {
    let mut tx = vault.writing();
    let stored = tx.get::<KeysRecord>(&path(vault))?;
    let keys = stored.as_ref().map_or(&[][..], |record| &record.keys);
    if wanted.new_log && found.log && keys.last().is_none_or(|last| last.begun) {
        return Err(KeyError::NotGone);
    }
    if let Some(note) = found.newest_note {
        return of_note(note, keys, wanted);
    }
    match keys.last() {
        Some(last) if last.begun && found.log => return Err(KeyError::NoCheckpoint),
        Some(last) if last.begun && !wanted.new_log => {
            let head = last.head()?;
            return Err(KeyError::Gone(Some(FormerLog { origin: last.name.clone(), head })));
        }
        Some(last) if !last.begun && wanted.origin.is_none_or(|origin| origin == last.name) => {
            return Ok(ChosenKey { signer: last.signer()?, known: None, follows: former(keys)? });
        }
        // A log is only written once its key is stored.
        None if found.log => return Err(KeyError::Unknown),
        // So is everything else that is in a store, but the keys above all; of several nodes each comes for the first time.
        None if !found.log && !wanted.new_log && vault.cluster().is_none() && is_used(vault)? => {
            return Err(KeyError::Gone(None));
        }
        _ => {}
    }
    let random = || format!("jomae-{:08x}", u32::from_be_bytes(rng::array()));
    let name = wanted.origin.map_or_else(random, str::to_owned);
    let private = PrivateKey::generate(AsymSpec::Ed25519).map_err(Fault::internal)?;
    let pkcs8 = private.to_pkcs8().map_err(Fault::internal)?;
    let signer = Signer::new(&name, private).map_err(KeyError::Origin)?;
    // A key that never signed anything is of no use.
    let mut record = KeysRecord { keys: keys.iter().filter(|key| key.begun).map(StoredKey::copy).collect() };
    let private = SecretText(pkcs8);
    record.keys.push(StoredKey { name, created: now.0, begun: false, private, head: None });
    tx.put(path(vault), &record)?;
    if wanted.new_log && !keys.is_empty() {
        // Whoever could sign the log before had the store, and the key of backups with it.
        backup::signer::forget(&mut tx)?;
    }
    done(tx.commit().await?)?;
    Ok(ChosenKey { signer, known: None, follows: former(&record.keys)? })
}

/// The key that signed a checkpoint.
fn of_note(note: &str, keys: &[StoredKey], wanted: &KeyRequest<'_>) -> Result<ChosenKey, KeyError> {
    let mut why = TlogError::Unsigned;
    for (at, key) in keys.iter().enumerate() {
        let signer = key.signer()?;
        match Checkpoint::open(note, signer.verifier()) {
            Ok(_) if at + 1 < keys.len() => return Err(KeyError::Former(key.name.clone())),
            Ok(_) => {
                let (signer, known) = (warn_of_name(signer, wanted.origin), key.known()?);
                return Ok(ChosenKey { signer, known, follows: former(keys)? });
            }
            Err(error) => why = error,
        }
    }
    Err(KeyError::Foreign(why))
}

/// The log before the last one.
fn former(keys: &[StoredKey]) -> Result<Option<FormerLog>, Fault> {
    let former = keys.len().checked_sub(2).and_then(|at| keys.get(at));
    former.map(|key| Ok(FormerLog { origin: key.name.clone(), head: key.head()? })).transpose()
}

/// Whether a store has anything but what a start makes before the log: the keys that it is sealed with, and its form.
fn is_used(vault: &Vault) -> Result<bool, Fault> {
    let paths = vault.reading().paths("", None, SCAN_LIMIT_MAX)?;
    Ok(paths.iter().any(|path| !root::is_bare(path.as_str()) && path.as_str() != form::PATH))
}

fn warn_of_name(signer: Signer, origin: Option<&str>) -> Signer {
    if let Some(origin) = origin.filter(|origin| *origin != signer.name()) {
        tracing::warn!(origin, name = signer.name(), "audit.origin applies to new logs only; this one keeps its name");
    }
    signer
}

fn done(outcome: CommitOutcome) -> Result<(), Fault> {
    match outcome {
        CommitOutcome::Done => Ok(()),
        CommitOutcome::Conflict => Err(Fault::unavailable("another process has just changed the audit log's key")),
    }
}

/// Changes the key of a log in the record.
async fn change(vault: &Vault, key: &VerifierKey, change: impl FnOnce(&mut StoredKey)) -> Result<(), Fault> {
    let mut tx = vault.writing();
    let gone = || Fault::internal("the key of the audit log is not in the store any more");
    let stored = tx.get::<KeysRecord>(&path(vault))?.ok_or_else(gone)?;
    let mut keys: Vec<StoredKey> = stored.keys.iter().map(StoredKey::copy).collect();
    let ours = |stored: &StoredKey| stored.signer().is_ok_and(|signer| signer.verifier() == key);
    let mut of_log = keys.iter().position(ours).map(|at| keys.remove(at)).ok_or_else(gone)?;
    change(&mut of_log);
    // The last one is that of the log in use.
    keys.push(of_log);
    tx.put(path(vault), &KeysRecord { keys })?;
    done(tx.commit().await?)
}

/// Notes that the service writes this log from now on, after these events and with this key of MACs. From now on a log
/// that does not go on from here is not taken for it.
pub(super) async fn begin(
    vault: &Vault,
    key: &VerifierKey,
    head: TreeHead,
    tail_key: &SecretBytes,
) -> Result<(), Fault> {
    change(vault, key, |stored| {
        stored.begun = true;
        let tail_key = SecretText::of(tail_key);
        stored.head = Some(HeadRecord { size: head.size, root: head.root_text(), stopped: false, tail_key });
    })
    .await
}

/// Notes how far the log has come; `stopped`: that nothing will be written after it.
pub(super) async fn keep_head(vault: &Vault, key: &VerifierKey, head: TreeHead, stopped: bool) -> Result<(), Fault> {
    change(vault, key, |stored| {
        if let Some(record) = &mut stored.head {
            (record.size, record.root, record.stopped) = (head.size, head.root_text(), stopped);
        }
    })
    .await
}

/// The public key of the newest log of a node that the store knows, whether it has begun, and what is known of it.
pub(super) fn known(
    vault: &Vault,
    node: Option<&NodeName>,
) -> Result<Option<(VerifierKey, bool, Option<KnownHead>)>, Fault> {
    let stored = vault.reading().get::<KeysRecord>(&path_of(node))?;
    let last = stored.as_ref().and_then(|record| record.keys.last());
    last.map(|key| Ok((key.signer()?.verifier().clone(), key.begun, key.known()?))).transpose()
}

/// The key that signs the newest log of a node, if there is one.
pub(crate) fn signer(vault: &Vault, node: Option<&NodeName>) -> Result<Option<Signer>, Fault> {
    let stored = vault.reading().get::<KeysRecord>(&path_of(node))?;
    stored.as_ref().and_then(|record| record.keys.last()).map(StoredKey::signer).transpose()
}

/// The public keys of all logs of a node that the store knows.
pub(super) fn verifiers(vault: &Vault, node: Option<&NodeName>) -> Result<Vec<VerifierKey>, Fault> {
    let stored = vault.reading().get::<KeysRecord>(&path_of(node))?;
    let keys = stored.as_ref().map_or(&[][..], |record| &record.keys);
    keys.iter().map(|key| Ok(key.signer()?.verifier().clone())).collect()
}

/// The public keys of all logs that the store knows, of whatever node.
pub(crate) fn verifiers_of_all(vault: &Vault) -> Result<Vec<VerifierKey>, Fault> {
    let mut found = verifiers(vault, None)?;
    for log in logs(vault)? {
        found.append(&mut verifiers(vault, Some(&log.node))?);
    }
    Ok(found)
}

/// The newest log of a node of a cluster, as the store knows it.
pub(crate) struct NodeLog {
    pub(crate) node: NodeName,
    pub(crate) origin: String,
    /// How far it has come, once it has begun.
    pub(crate) head: Option<TreeHead>,
}

/// The logs of all nodes that there have been.
pub(crate) fn logs(vault: &Vault) -> Result<Vec<NodeLog>, Fault> {
    let prefix = format!("{PATH}/");
    let mut found = Vec::new();
    for (path, record) in vault.reading().list::<KeysRecord>(&prefix, None, SCAN_LIMIT_MAX)? {
        let node = path.as_str().strip_prefix(&prefix).and_then(NodeName::new);
        if let (Some(node), Some(last)) = (node, record.keys.last()) {
            found.push(NodeLog { node, origin: last.name.clone(), head: last.head()? });
        }
    }
    Ok(found)
}
