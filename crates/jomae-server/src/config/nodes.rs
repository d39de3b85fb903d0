//! The store and the cluster: `[store]` and `[cluster]`.

use std::path::PathBuf;

use jomae_core::cluster::record::NodeName;
use serde::Deserialize;

use super::{Config, ConfigError};
use crate::address::ListenAddress;

/// A lease that is shorter ends at every election of etcd; a longer one makes revocations wait for nodes that died.
const LEASE_SECS_MIN: u64 = 3;
const LEASE_SECS_MAX: u64 = 60;
/// A count that takes days keeps SQLite from emptying its write-ahead log.
const VERIFY_RECORDS_PER_SEC_MIN: u64 = 1000;

/// Where records are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    pub kind: StoreKind,
    /// Of etcd: `https://host:port` of each member.
    pub endpoints: Vec<String>,
    /// Of etcd: what all keys of this service begin with; `jomae` if empty.
    pub prefix: String,
    /// Of etcd: certificates (PEM) that have signed the members'.
    pub ca_file: Option<PathBuf>,
    /// Of etcd: the certificate chain (PEM) by whose common name it knows this node.
    pub cert_file: Option<PathBuf>,
    /// Of etcd: its private key (PEM).
    pub key_file: Option<PathBuf>,
    /// Seconds between two counts of all records against the hash that goes along with every change; 0: only at a start.
    pub verify_every_secs: u64,
    /// Records counted in a second at most, while the service runs.
    pub verify_records_per_sec: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            kind: StoreKind::default(),
            endpoints: Vec::new(),
            prefix: String::new(),
            ca_file: None,
            cert_file: None,
            key_file: None,
            verify_every_secs: 3600,
            verify_records_per_sec: 20_000,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A file in the data directory, for one node.
    #[default]
    Sqlite,
    /// For several nodes.
    Etcd,
}

/// This node among several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// Its name: lower-case letters, digits and hyphens. Needed if the store is etcd.
    pub node: String,
    /// Where other nodes reach this one; none of them does if it is not set.
    pub listen: Option<ListenAddress>,
    /// `host:port` at which they find it, if that is another one than it listens on.
    pub address: Option<String>,
    /// Seconds that a node may serve after it was last confirmed; the same on every node.
    pub lease_secs: u64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { node: String::new(), listen: None, address: None, lease_secs: 5 }
    }
}

impl Config {
    /// What types cannot say of the store and the cluster.
    pub(super) fn check_store(&self) -> Result<(), ConfigError> {
        let StoreConfig { kind, endpoints, prefix, ca_file, cert_file, key_file, .. } = &self.store;
        let wrong = |message: &str| Err(ConfigError::Value(message.to_owned()));
        if self.store.verify_records_per_sec < VERIFY_RECORDS_PER_SEC_MIN {
            let message = format!("store.verify_records_per_sec must be {VERIFY_RECORDS_PER_SEC_MIN} at least");
            return Err(ConfigError::Value(message));
        }
        match kind {
            StoreKind::Sqlite => {
                let files = [ca_file, cert_file, key_file];
                if !endpoints.is_empty() || !prefix.is_empty() || files.iter().any(|file| file.is_some()) {
                    return wrong("store.endpoints, prefix and certificates are for store.kind = \"etcd\"");
                }
                let ClusterConfig { node, listen, address, .. } = &self.cluster;
                if !node.is_empty() || listen.is_some() || address.is_some() {
                    return wrong(
                        "cluster.node, listen and address are for store.kind = \"etcd\": a node with a file as its store is alone",
                    );
                }
            }
            StoreKind::Etcd => {
                if endpoints.is_empty() {
                    return wrong("store.endpoints must name a member of etcd at least");
                }
                if cert_file.is_some() != key_file.is_some() {
                    return wrong("store.cert_file and store.key_file belong together: give both or none");
                }
                if NodeName::new(&self.cluster.node).is_none() {
                    return wrong("cluster.node must be 1 to 63 lower-case letters, digits and hyphens");
                }
                self.check_channel()?;
            }
        }
        if !(LEASE_SECS_MIN..=LEASE_SECS_MAX).contains(&self.cluster.lease_secs) {
            let message = format!("cluster.lease_secs must be {LEASE_SECS_MIN} to {LEASE_SECS_MAX}");
            return Err(ConfigError::Value(message));
        }
        Ok(())
    }

    /// Where other nodes reach this one.
    fn check_channel(&self) -> Result<(), ConfigError> {
        let wrong = |message: &str| Err(ConfigError::Value(message.to_owned()));
        match (&self.cluster.listen, &self.cluster.address) {
            (None, Some(_)) => wrong("cluster.address says where others find cluster.listen, which is not set"),
            (Some(ListenAddress::Literal(address)), None) if address.ip().is_unspecified() => {
                wrong("cluster.listen is every address of the machine: say in cluster.address which one others use")
            }
            (_, Some(address)) => match address.parse::<ListenAddress>() {
                Ok(ListenAddress::Literal(address)) if address.ip().is_unspecified() || address.port() == 0 => {
                    wrong("cluster.address must be one that others can reach")
                }
                Ok(_) => Ok(()),
                Err(error) => Err(ConfigError::Value(format!("cluster.address: {error}"))),
            },
            _ => Ok(()),
        }
    }
}
