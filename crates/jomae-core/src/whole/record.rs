//! What the store keeps of the hash over its records, and which records that covers.

use std::collections::BTreeMap;

use jomae_crypto::set::SetSum;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::{self, record::NodeName},
    error::Fault,
    form,
    store::Path,
    stored::{Bytes, plain_records},
};

/// The stored form from which on the hash is kept.
pub const FORM: u32 = 2;
/// Room for a lane's record, in bytes: counters of all lanes of a node, and of some nodes.
const LANE_BYTES: usize = 4096;

plain_records!(form: 2, bears_rights: false, room: LANE_BYTES; LaneRecord, BaseRecord);
plain_records!(form: 2, bears_rights: false; AcceptedRecord);

/// Everything of this module, which nobody else sees or writes.
pub const PREFIX: &str = "sys/whole/";
const SINGLE: &str = "sys/whole/lane/";
const NODES: &str = "sys/whole/node/";
/// What stands in a store that `jomae store copy` has not finished. Such a one is not used.
pub const UNFINISHED_COPY: &str = "sys/unfinished-copy";

/// Records that the hash does not cover, by their beginnings.
const OUTSIDE: &[&str] = &[
    // The hash itself. That none of these is older than the others is seen by their counters.
    PREFIX,
    // Leases, the work lease, markers of barriers: written every second by every node, and even by one whose fate nobody knows.
    // They say who is there now. To set one back takes nothing that was promised: every beat requires the one before it,
    // and work compares the revision of its lease, which is none of the record's bytes.
    cluster::record::ALL,
    // While it is there nothing of the store is used, and it goes when the hash is there.
    UNFINISHED_COPY,
];

/// Whether the hash covers what stands at a path.
pub fn is_inside(path: &str) -> bool {
    !OUTSIDE.iter().any(|outside| path.starts_with(outside))
}

/// Whether a path is of this module alone.
pub fn is_own(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Whether a commit may have a path on top of [`COMMIT_ITEMS_MAX`](crate::store::COMMIT_ITEMS_MAX): one of each kind.
pub fn is_extra(path: &str) -> bool {
    is_own(path) || path == form::PATH
}

/// A share of the hash: what the commits that took this lane have added to it and taken from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneRecord {
    /// How many commits have taken this lane.
    pub changes: u64,
    pub sum: Bytes,
    /// Which acceptance of the store it was written after; what it says of others counts only within the same.
    pub epoch: u64,
    /// At least so many commits had taken each lane of the same node, this one included.
    pub own: Vec<u64>,
    /// At least so many had taken those of each other node, all together.
    pub others: BTreeMap<String, u64>,
    /// At least so many changes stood in the base.
    pub base: u64,
}

/// The share that no commit since has added: of the records as they were when the hash was begun, or accepted as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRecord {
    /// Changes that are counted here, since no lane counts them.
    pub changes: u64,
    pub sum: Bytes,
    pub epoch: u64,
}

/// An operator has accepted a store that is older than what was promised: to be told in the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedRecord {
    /// When, in Unix seconds.
    pub at: i64,
    /// How many changes were promised, and when last, in Unix seconds.
    pub promised: u64,
    pub promised_at: i64,
    /// How many changes the store had.
    pub found: u64,
    /// What was wrong with it beside that, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where an [`AcceptedRecord`] waits for its event.
pub const ACCEPTED: &str = "sys/rollback-accepted";

pub fn base() -> Path {
    Path::new("sys/whole/base")
}

/// Where the lanes of a node stand, or those of a service that is alone.
pub fn lanes_of(node: Option<&NodeName>) -> String {
    node.map_or_else(|| SINGLE.to_owned(), |name| format!("{NODES}{name}/"))
}

pub fn lane(lanes: &str, number: usize) -> Path {
    Path::new(format!("{lanes}{number:02}"))
}

/// Owner and number of a lane, by its path. The owner of those of a service that is alone is the empty name.
pub fn of_lane(path: &str) -> Option<(&str, usize)> {
    let (owner, number) = match path.strip_prefix(SINGLE) {
        Some(number) => ("", number),
        None => path.strip_prefix(NODES)?.split_once('/')?,
    };
    Some((owner, number.parse().ok()?))
}

/// The sum of a record.
pub fn sum_of(path: &str, bytes: &Bytes) -> Result<SetSum, Fault> {
    SetSum::from_slice(&bytes.0).ok_or_else(|| Fault::internal(format!("record {path}: its sum has another length")))
}

/// A sum for a record.
pub fn bytes_of(sum: &SetSum) -> Bytes {
    Bytes(sum.to_bytes().to_vec())
}
