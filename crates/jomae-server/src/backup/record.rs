//! What the store keeps of each node's last backup, so that a later start, and every other node, knows when it was.

use jomae_api::time::Timestamp;
use jomae_core::{
    error::Fault,
    store::{Path, SCAN_LIMIT_MAX},
    stored::plain_records,
    tx::{CommitOutcome, Vault},
};
use serde::{Deserialize, Serialize};

use super::Made;

plain_records!(form: 3, bears_rights: false; BackupRecord);

const ALL: &str = "sys/backup/";
/// Whose record it is, where there is one node.
const ALONE: &str = "alone";
/// Another backup of the same node can only end at the same time if two processes make them.
const ATTEMPTS_MAX: u32 = 8;

/// The last backup of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupRecord {
    pub(crate) id: String,
    /// In Unix seconds.
    pub(crate) made: i64,
    /// The backup that it goes on from; none: it is whole.
    pub(crate) base: Option<String>,
    pub(crate) records: u64,
    /// Of all objects.
    pub(crate) bytes: u64,
    /// What kind of place it was written to. Where that is stands in no record: whoever asks may be told less.
    pub(crate) place: String,
}

fn path(vault: &Vault) -> Path {
    Path::new(format!("{ALL}{}", vault.cluster().map_or(ALONE, |cluster| cluster.name().as_str())))
}

/// Keeps what was made, in the place of what this node made before.
///
/// # Errors
/// The backup is there all the same.
pub(crate) async fn keep(vault: &Vault, made: &Made, now: Timestamp) -> Result<(), Fault> {
    let Made { id, base, records, bytes, place, .. } = made;
    let (id, base, place) = (id.clone(), base.clone(), (*place).to_owned());
    let record = BackupRecord { id, made: now.0, base, records: *records, bytes: *bytes, place };
    for _ in 0..ATTEMPTS_MAX {
        let mut tx = vault.writing();
        tx.get::<BackupRecord>(&path(vault))?;
        tx.put(path(vault), &record)?;
        if tx.commit().await? == CommitOutcome::Done {
            return Ok(());
        }
    }
    Err(Fault::unavailable("the record of the last backup changes all the time"))
}

/// The last backup of this node, if the store knows of one.
pub(crate) fn own(vault: &Vault) -> Result<Option<BackupRecord>, Fault> {
    Ok(vault.reading().get::<BackupRecord>(&path(vault))?.map(|record| (*record).clone()))
}

/// The newest of the last backups of all nodes, and the node, where there are several.
pub(crate) fn newest(vault: &Vault) -> Result<Option<(Option<String>, BackupRecord)>, Fault> {
    let rows = vault.reading().list::<BackupRecord>(ALL, None, SCAN_LIMIT_MAX)?;
    let newest = rows.into_iter().max_by_key(|(_, record)| record.made);
    let is_cluster = vault.cluster().is_some();
    Ok(newest.map(|(at, record)| (at.as_str().strip_prefix(ALL).filter(|_| is_cluster).map(str::to_owned), record)))
}
