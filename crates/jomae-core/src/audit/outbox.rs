//! No change without its event, whenever the process dies.
//!
//! A changing call commits its audit event together with the change, as a record of its own, the outbox. The event is
//! then appended to the log, and the record removed a little later. What a crash leaves in the outbox is appended at
//! the next start, unless the log has it already.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{AuditSink, Durability, Event};
use crate::{
    error::Fault,
    store::{COMMIT_ITEMS_MAX, Path, SCAN_LIMIT_MAX},
    stored::Record,
    tx::{Tx, Vault},
};

/// Where events wait: those of a node of a cluster below its name.
pub const PREFIX: &str = "sys/outbox/";

/// Where the events of this node wait: each goes to the log of the node that has answered the call.
fn prefix(vault: &Vault) -> String {
    vault.node().map_or_else(|| PREFIX.to_owned(), |node| format!("{PREFIX}{node}/"))
}

/// An event that was committed with its change.
pub struct Pending {
    path: Path,
    pub event: Event,
}

impl Pending {
    /// The change holds on every node, after so many milliseconds.
    pub fn confirmed_after(&mut self, waited_ms: u64) {
        let event = std::mem::replace(&mut self.event, Event::of_line(Vec::new()));
        self.event = event.with_barrier(waited_ms);
    }
}

/// An event at rest, as its JSON text.
struct OutboxRecord(Vec<u8>);

impl Record for OutboxRecord {
    const FORM: u32 = 1;
    const BEARS_RIGHTS: bool = false;

    fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes)?;
        Ok(Self(bytes.to_vec()))
    }
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(self.0.clone())
    }
}

/// Lets the event be committed with the change.
pub fn put(tx: &mut Tx<'_>, event_id: &str, event: Event) -> Result<Pending, Fault> {
    let path = Path::new(format!("{}{event_id}", prefix(tx.vault())));
    tx.insert(path.clone(), &OutboxRecord(event.line().to_vec()))?;
    Ok(Pending { path, event })
}

/// What may leave the outbox.
#[derive(Default)]
pub struct Outbox(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    /// In the log, on disk.
    logged: Vec<Path>,
    /// Handed to a log that said it could not write. It keeps trying, in order: once a later event is on disk, so is
    /// this one.
    uncertain: Vec<Path>,
    /// What waited when it was last looked.
    waiting: HashSet<Path>,
}

impl Outbox {
    /// Appends an event that was committed, and waits until it is on disk. Gives its place in the log.
    pub async fn append(&self, audit: &dyn AuditSink, pending: Pending) -> Result<u64, Fault> {
        let appended = audit.append(&pending.event, Durability::OnDisk);
        let result = appended.done.wait().await;
        let mut lists = self.lists();
        match result {
            Ok(()) => {
                let earlier = std::mem::take(&mut lists.uncertain);
                lists.logged.extend(earlier);
                lists.logged.push(pending.path);
                Ok(appended.index)
            }
            Err(error) => {
                lists.uncertain.push(pending.path);
                Err(Fault::unavailable(error))
            }
        }
    }

    /// Removes what is in the log; called every now and then.
    pub async fn clear(&self, vault: &Vault) -> Result<(), Fault> {
        loop {
            let paths: Vec<Path> = {
                let mut lists = self.lists();
                let some = lists.logged.len().min(COMMIT_ITEMS_MAX);
                lists.logged.drain(..some).collect()
            };
            if paths.is_empty() {
                return Ok(());
            }
            let mut tx = vault.writing();
            for path in &paths {
                tx.delete::<OutboxRecord>(path.clone());
            }
            if let Err(fault) = tx.commit().await {
                self.lists().logged.extend(paths);
                return Err(fault);
            }
        }
    }

    /// Appends what a crash has left, unless the log has it. Called once, before the first request.
    pub async fn recover(&self, vault: &Vault, audit: &dyn AuditSink) -> Result<usize, Fault> {
        self.append_left(vault, audit, |_| true).await
    }

    /// Appends what calls have left whose outcome was not known in time, though the change has happened: events that
    /// waited already when this was last called. No call must take as long as it is from one call of this to the next.
    pub async fn append_stranded(&self, vault: &Vault, audit: &dyn AuditSink) -> Result<usize, Fault> {
        let (prefix, mut waiting) = (prefix(vault), HashSet::new());
        let mut after: Option<Path> = None;
        loop {
            let page = vault.reading().paths(&prefix, after.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            waiting.extend(page);
        }
        let stranded: HashSet<Path> = {
            let mut lists = self.lists();
            let before = std::mem::replace(&mut lists.waiting, waiting);
            // The log has been given these, and keeps trying.
            let stays = |path: &&Path| lists.waiting.contains(*path) && !lists.uncertain.contains(*path);
            before.iter().filter(stays).cloned().collect()
        };
        if stranded.is_empty() {
            return Ok(0);
        }
        self.append_left(vault, audit, |path| stranded.contains(path)).await
    }

    /// Appends the events of these paths, unless the log has them.
    async fn append_left(
        &self,
        vault: &Vault,
        audit: &dyn AuditSink,
        is_left: impl Fn(&Path) -> bool,
    ) -> Result<usize, Fault> {
        let mut recovered = 0;
        let mut after: Option<Path> = None;
        let prefix = prefix(vault);
        loop {
            let left =
                vault.reading().list::<OutboxRecord>(&prefix, after.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
            let Some((last, _)) = left.last() else { return Ok(recovered) };
            after = Some(last.clone());
            let left: Vec<_> = left.into_iter().filter(|(path, _)| is_left(path)).collect();
            let ids: Vec<&str> = left.iter().filter_map(|(path, _)| path.as_str().strip_prefix(&prefix)).collect();
            let logged = audit.find(&ids).map_err(Fault::unavailable)?;
            for (path, record) in left {
                let id = path.as_str().strip_prefix(&prefix).unwrap_or_default();
                if logged.iter().any(|found| found == id) {
                    self.lists().logged.push(path);
                } else {
                    self.append(audit, Pending { path, event: Event::of_line(record.0) }).await?;
                    recovered += 1;
                }
            }
            self.clear(vault).await?;
        }
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
