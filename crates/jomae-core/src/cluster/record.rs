//! What the store knows of a cluster: who is in it, and who does its common work.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{form, store::Path, stored::plain_records};

plain_records!(form: 1, bears_rights: false; NodeRecord, WorkRecord, Marker);

/// Longest name of a node.
const NAME_BYTES_MAX: usize = 63;

/// The name of a node: 1 to 63 lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// A text that is no [`NodeName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a node is 1 to 63 lower-case letters, digits and hyphens")]
pub struct NotANodeName;

impl TryFrom<String> for NodeName {
    type Error = NotANodeName;

    fn try_from(text: String) -> Result<Self, NotANodeName> {
        Self::new(&text).ok_or(NotANodeName)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl NodeName {
    pub fn new(text: &str) -> Option<Self> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        ((1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A node that lives. The record is its lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The process: drawn at its start.
    pub incarnation: String,
    /// The data directory: drawn when it was made. Whoever has it knows that its former process is gone.
    pub home: String,
    /// How often the lease was renewed.
    pub beat: u64,
    /// The revision to which its reads had come.
    pub applied: u64,
    /// Its clock, in Unix seconds.
    pub wall_secs: i64,
    /// How long its leases last, in seconds: the same for all.
    pub term_secs: u64,
    /// The newest stored form that it can read.
    pub form: u32,
    /// The version of the program.
    pub version: String,
    /// Where other nodes reach it, as `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl NodeRecord {
    /// Of a process that has not sent a beat yet.
    pub fn new(incarnation: impl Into<String>, home: impl Into<String>, term_secs: u64) -> Self {
        Self {
            incarnation: incarnation.into(),
            home: home.into(),
            beat: 0,
            applied: 0,
            wall_secs: 0,
            term_secs,
            form: form::NEWEST,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: None,
        }
    }
}

/// Who does the work that is done once: as long as its node lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRecord {
    pub node: NodeName,
    pub incarnation: String,
}

/// Written with a change that every node must confirm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {}

/// Every live node.
pub const NODES: &str = "sys/cluster/node/";
/// Everything of this module.
pub const ALL: &str = "sys/cluster/";
const BARRIERS: &str = "sys/cluster/barrier/";

pub fn node(name: &NodeName) -> Path {
    Path::new(format!("{NODES}{name}"))
}

pub fn work() -> Path {
    Path::new("sys/cluster/work")
}

/// What a node writes with each change that must be confirmed.
pub fn barrier(name: &NodeName) -> Path {
    Path::new(format!("{BARRIERS}{name}"))
}

pub fn is_barrier(path: &str) -> bool {
    path.starts_with(BARRIERS)
}

/// The node of a path made by [`node`].
pub fn named(path: &str) -> Option<NodeName> {
    NodeName::new(path.strip_prefix(NODES)?)
}
