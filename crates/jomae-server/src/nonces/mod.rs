//! The memory of nonces, over a restart: a request is accepted once, not once by each process.
//!
//! A clean stop writes the memory to a file, and then, into a sealed record of the store, by what the file is known. The
//! next start takes both out again before it accepts anything, so they are good for one start. Whatever else stands in
//! the file's place afterwards, an old copy or somebody else's bytes, is not what the record names.
//!
//! After any other end it is not known what was accepted. Then nothing is that was signed up to the moment of the start, and
//! a little beyond it: as far as the former process had seen clients ahead of its clock, from one second to ten.

pub mod file;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jomae_core::{
    cluster::{Cluster, record::NodeName},
    error::Fault,
    nonce::{AHEAD_SECS_MAX, AHEAD_SECS_MIN, NonceMemory},
    service::Service,
    store,
    stored::{Bytes, plain_records},
    tx::{CommitOutcome, Vault},
};
use jomae_crypto::secret::SecretBytes;
use serde::{Deserialize, Serialize};

use self::file::{Fingerprint, ReadError, Writer};
use crate::{files, gateway, secret_text::SecretText};

/// Where the record stands.
pub(crate) const PATH: &str = "sys/run";
/// How long a start waits at most for the second from which on requests are accepted, so that a client meets the service
/// and no refusals; beyond, those whose clocks are ahead need not wait.
const WAIT_MAX: Duration = Duration::from_secs(2);
const REFUSED: &str = "requests signed before this start are refused, as they may be repetitions";
const POLL: Duration = Duration::from_millis(20);

/// Where it stands: each node of a cluster has a memory of its own.
fn path(vault: &Vault) -> store::Path {
    path_of(vault.cluster().map(Cluster::name))
}

/// The same, of a node or of the only one.
pub(crate) fn path_of(node: Option<&NodeName>) -> store::Path {
    match node {
        None => store::Path::new(PATH),
        Some(node) => store::Path::new(format!("{PATH}/{node}")),
    }
}

fn file_path(data_dir: &Path) -> PathBuf {
    data_dir.join("nonces")
}

/// What the store knows of the process that serves, or served.
#[derive(Serialize, Deserialize)]
struct RunRecord {
    /// The key of the hashes.
    hash_key: SecretText,
    /// Nothing signed up to this second is accepted.
    #[serde(default)]
    unknown_until: i64,
    /// How far ahead of the clock accepted requests were signed, in seconds.
    ahead_secs: i64,
    /// The file of a clean stop; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<StoppedRecord>,
}

#[derive(Serialize, Deserialize)]
struct StoppedRecord {
    entries: u64,
    sha256: Bytes,
}

plain_records!(form: 1, bears_rights: false; RunRecord);

impl StoppedRecord {
    fn is_of(&self, found: &Fingerprint) -> bool {
        self.entries == found.entries && self.sha256.0 == found.sha256
    }
}

/// What a start has found of the former process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Nonces that it left.
    pub nonces: usize,
    /// Whether what it had accepted is not known.
    pub unclean: bool,
}

/// This process, as the next one will know it.
pub struct Run {
    data_dir: PathBuf,
    found: Found,
    /// Why the file of a clean stop was of no use.
    unusable: Option<Unusable>,
    unknown_until: i64,
    /// As it stands in the record.
    ahead_secs: AtomicI64,
}

/// Why the file of a clean stop is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    File(#[from] ReadError),
    #[error("it is not the one that the last stop has written")]
    Other,
    #[error("it has {0} nonces, more than server.nonces_max")]
    TooMany(u64),
}

/// The memory with what the former process left, and what is to be noted before anything is accepted. `is_new`: there has
/// never been one.
pub async fn recall(
    vault: &Vault,
    data_dir: &Path,
    nonces_max: usize,
    is_new: bool,
) -> Result<(NonceMemory, Run), Fault> {
    // The lock on the data directory is held: nobody has accepted anything since.
    let now_secs = gateway::now().0;
    let record = vault.reading().get::<RunRecord>(&path(vault))?;
    let run = |found, unusable, unknown_until| Run {
        data_dir: data_dir.to_owned(),
        found,
        unusable,
        unknown_until,
        ahead_secs: AtomicI64::new(AHEAD_SECS_MIN),
    };
    let Some(record) = record else {
        // A store without the record is that of an older version, unless it is new.
        let until = if is_new { i64::MIN } else { now_secs + AHEAD_SECS_MIN };
        return Ok((new_memory(nonces_max, until), run(Found { nonces: 0, unclean: !is_new }, None, until)));
    };
    // One that lies further ahead was noted by a clock that has been set back since.
    let noted = record.unknown_until.min(now_secs + AHEAD_SECS_MAX);
    let mut unusable = None;
    if record.stopped.is_some() {
        let (path, record) = (file_path(data_dir), Arc::clone(&record));
        let read = tokio::task::spawn_blocking(move || read(&path, &record, nonces_max, now_secs)).await;
        match read.map_err(Fault::internal)? {
            Ok(memory) => {
                memory.distrust(noted);
                let found = Found { nonces: memory.len(), unclean: false };
                return Ok((memory, run(found, None, noted)));
            }
            Err(error) => unusable = Some(error),
        }
    }
    let until = noted.max(now_secs + record.ahead_secs.clamp(AHEAD_SECS_MIN, AHEAD_SECS_MAX));
    Ok((new_memory(nonces_max, until), run(Found { nonces: 0, unclean: true }, unusable, until)))
}

fn new_memory(nonces_max: usize, unknown_until: i64) -> NonceMemory {
    let memory = NonceMemory::new(nonces_max);
    memory.distrust(unknown_until);
    memory
}

fn read(path: &Path, record: &RunRecord, nonces_max: usize, now_secs: i64) -> Result<NonceMemory, Unusable> {
    let stopped = record.stopped.as_ref().ok_or(Unusable::Other)?;
    let key = record.hash_key.0.expose().try_into().map_err(|_| Unusable::Other)?;
    if stopped.entries > nonces_max as u64 {
        return Err(Unusable::TooMany(stopped.entries));
    }
    let memory = NonceMemory::with_key(key, nonces_max);
    let mut file = files::open(path).map_err(ReadError::Io)?;
    let mut room = true;
    let found = file::read(&mut file, stopped.entries, |generation, hash| {
        room &= memory.recall(generation, hash, now_secs);
    })?;
    if stopped.is_of(&found) && room { Ok(memory) } else { Err(Unusable::Other) }
}

impl Run {
    pub fn found(&self) -> Found {
        self.found
    }

    /// Takes file and record out of use. From now on the next start needs what this process will leave. Returns when
    /// the first requests can be accepted, or soon will be.
    pub async fn begin(&self, service: &Service) -> Result<(), Fault> {
        self.note(service, None).await?;
        let path = file_path(&self.data_dir);
        // The record names it no more: this is only to be rid of it.
        if let Err(error) = remove(&path) {
            tracing::warn!(%error, path = %path.display(), "cannot remove the file of the last stop");
        }
        if let Some(error) = &self.unusable {
            tracing::warn!(path = %path.display(), %error, "cannot use what the last stop has left; {REFUSED}");
        } else if self.found.unclean {
            tracing::warn!("the last stop was not a clean one; {REFUSED}");
        }
        let mut waited = Duration::ZERO;
        while gateway::now().0 <= self.unknown_until && waited < WAIT_MAX {
            tokio::time::sleep(POLL).await;
            waited += POLL;
        }
        Ok(())
    }

    /// Notes how far ahead of the clock clients are, if they are further than the record says.
    pub async fn keep_ahead(&self, service: &Service) -> Result<(), Fault> {
        if service.authenticator.nonces.ahead_secs() > self.ahead_secs.load(Ordering::Relaxed) {
            self.note(service, None).await?;
        }
        Ok(())
    }

    /// Leaves the memory to the next start. Nothing is accepted from now on.
    pub async fn end(&self, service: &Arc<Service>) -> Result<(), Fault> {
        service.authenticator.nonces.close();
        let (path, of) = (file_path(&self.data_dir), Arc::clone(service));
        let written = tokio::task::spawn_blocking(move || write(&path, &of.authenticator.nonces)).await;
        let Fingerprint { entries, sha256 } = written.map_err(Fault::internal)?.map_err(Fault::unavailable)?;
        self.note(service, Some(StoppedRecord { entries, sha256: Bytes(sha256.to_vec()) })).await
    }

    async fn note(&self, service: &Service, stopped: Option<StoppedRecord>) -> Result<(), Fault> {
        let (vault, nonces) = (&service.kms.vault, &service.authenticator.nonces);
        let ahead_secs = nonces.ahead_secs();
        let hash_key = SecretText(SecretBytes::new(nonces.key().to_vec()));
        let mut tx = vault.writing();
        tx.put(path(vault), &RunRecord { hash_key, unknown_until: self.unknown_until, ahead_secs, stopped })?;
        match tx.commit().await? {
            CommitOutcome::Done => {
                self.ahead_secs.store(ahead_secs, Ordering::Relaxed);
                Ok(())
            }
            CommitOutcome::Conflict => {
                Err(Fault::unavailable("another process has just changed the record of the run"))
            }
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => files::sync_dir_of(path),
    }
}

/// Writes the memory to the file, and the file to the disk.
fn write(path: &Path, nonces: &NonceMemory) -> io::Result<Fingerprint> {
    let mut unfinished = files::Unfinished::create(path, 0o600)?;
    let mut writer = Writer::new(unfinished.file());
    nonces.try_for_each(gateway::now().0, |generation, hash| writer.entry(generation, hash))?;
    let fingerprint = writer.finish()?;
    unfinished.finish(true)?;
    // Of its directory too: the record is not to name what a power cut takes away.
    files::sync_dir_of(path)?;
    Ok(fingerprint)
}

#[cfg(test)]
mod tests;
