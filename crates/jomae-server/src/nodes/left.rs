//! Nodes that have left for good: nobody misses their logs.

use jomae_api::time::Timestamp;
use jomae_core::{
    cluster::record::NodeName,
    error::Fault,
    store::Path,
    stored::plain_records,
    tx::{CommitOutcome, Tx, Vault},
};
use serde::{Deserialize, Serialize};

const PREFIX: &str = "sys/cluster/left/";

#[derive(Serialize, Deserialize)]
struct LeftRecord {
    at: i64,
}

plain_records!(form: 1, bears_rights: false; LeftRecord);

fn path(node: &NodeName) -> Path {
    Path::new(format!("{PREFIX}{node}"))
}

/// Whether a node has left.
pub(super) fn has_left(vault: &Vault, node: &NodeName) -> Result<bool, Fault> {
    Ok(vault.reading().get::<LeftRecord>(&path(node))?.is_some())
}

/// Notes that a node has left.
pub(super) fn put(tx: &mut Tx<'_>, node: &NodeName, now: Timestamp) -> Result<(), Fault> {
    tx.put(path(node), &LeftRecord { at: now.0 })
}

/// A node that serves has come back.
pub(super) async fn come_back(vault: &Vault, node: &NodeName) -> Result<(), Fault> {
    let mut tx = vault.writing();
    if tx.get::<LeftRecord>(&path(node))?.is_none() {
        return Ok(());
    }
    tx.delete::<LeftRecord>(path(node));
    match tx.commit().await? {
        CommitOutcome::Done => Ok(()),
        CommitOutcome::Conflict => Err(Fault::unavailable("the record of a node that had left has just changed")),
    }
}
