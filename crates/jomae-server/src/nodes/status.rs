//! What the operator asks and tells about the nodes, through the socket of one of them.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_core::{
    audit::outbox,
    cluster::{Cluster, record::NodeName},
    error::Fault,
    service::Service,
    tx::Vault,
};
use serde::Serialize;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::{
    Authority, left, lives,
    tokens::{self, Host, Invitation, TokenError},
};
use crate::{audit, gateway};

/// What the operator's requests about the cluster need.
pub(crate) struct Nodes {
    pub(crate) service: Arc<Service>,
    pub(crate) authority: Arc<Authority>,
    /// Told when this node is to stop.
    pub(crate) stop: Arc<Notify>,
}

/// Why it was not done; one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodesError {
    #[error("this service is alone: it has no other nodes")]
    Alone,
    #[error("the name of a node is 1 to 63 lower-case letters, digits and hyphens")]
    Name,
    #[error("a token is good for 1 minute to 7 days")]
    Validity,
    #[error("the node {0} serves; choose another name for the new one")]
    InUse(NodeName),
    #[error("the node {0} serves: leave there, or stop it before")]
    Serves(NodeName),
    #[error("no node {0} has ever been in this cluster")]
    Unknown(NodeName),
    #[error("no node has an address for others: set cluster.listen at one, and restart it")]
    NoAddress,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// What is known of the cluster.
#[derive(Serialize)]
pub(crate) struct Status {
    /// The one that was asked.
    pub(crate) node: NodeName,
    pub(crate) nodes: Vec<NodeRow>,
}

#[derive(Serialize)]
pub(crate) struct NodeRow {
    pub(crate) node: NodeName,
    pub(crate) state: State,
    /// Does the work that is done once.
    pub(crate) worker: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Where other nodes reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Since it last renewed its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) silent_milliseconds: Option<u64>,
    /// By how much its clock is ahead of this node's; 0 if it is not by more than its last word is old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock_ahead_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It has a lease.
    Serves,
    /// It has none: it was stopped, has died, or is cut off.
    Gone,
    /// For good.
    Left,
}

/// How far a node's log has come, as the store knows.
#[derive(Serialize)]
pub(crate) struct LogRow {
    origin: String,
    pub(crate) events: u64,
    root: String,
}

/// How long a token may be good, in seconds.
const VALID_SECS: std::ops::RangeInclusive<i64> = 60..=7 * 86_400;

impl Nodes {
    fn cluster(&self) -> Result<&Cluster, NodesError> {
        self.service.kms.vault.cluster().ok_or(NodesError::Alone)
    }

    pub(crate) fn status(&self) -> Result<Status, NodesError> {
        Ok(status(&self.service.kms.vault, self.cluster()?)?)
    }

    /// A token for a new node, or one that has lost its data directory.
    pub(crate) async fn make_token(&self, node: &str, valid_secs: i64) -> Result<Zeroizing<String>, NodesError> {
        let cluster = self.cluster()?;
        let node = NodeName::new(node).ok_or(NodesError::Name)?;
        if !VALID_SECS.contains(&valid_secs) {
            return Err(NodesError::Validity);
        }
        if lives(cluster, &node) {
            return Err(NodesError::InUse(node));
        }
        let host =
            |member: jomae_core::cluster::Member| Some(Host { address: member.record.address?, node: member.name });
        let mut at: Vec<Host> = cluster.members().into_iter().filter_map(host).collect();
        // This node knows of the token already.
        at.sort_by_key(|host| host.node != *cluster.name());
        if at.is_empty() {
            return Err(NodesError::NoAddress);
        }
        let authority = self.authority.certificate().map_err(Fault::internal)?;
        let (vault, region) = (&self.service.kms.vault, &self.service.default_region);
        let made = tokens::make(vault, region, &node, valid_secs, gateway::now()).await?;
        self.append(made.event).await?;
        let token = Invitation { id: made.id, secret: made.secret, node, at, authority: STANDARD.encode(authority) };
        Ok(token.to_text()?)
    }

    /// A node has left for good: its log is not missed any more. Without a name it is this one, which then stops.
    pub(crate) async fn leave(&self, node: Option<&str>) -> Result<NodeName, NodesError> {
        let (vault, cluster) = (&self.service.kms.vault, self.cluster()?);
        let own = cluster.name();
        let node = node.map_or(Ok(own.clone()), |node| NodeName::new(node).ok_or(NodesError::Name))?;
        if node != *own {
            if lives(cluster, &node) {
                return Err(NodesError::Serves(node));
            }
            if !audit::logs(vault)?.iter().any(|log| log.node == node) {
                return Err(NodesError::Unknown(node));
            }
        }
        let mut tx = vault.writing();
        left::put(&mut tx, &node, gateway::now())?;
        let region = &self.service.default_region;
        let event = tokens::committed(tx, "LeaveCluster", region, &[("Node", node.as_str())], gateway::now()).await?;
        self.append(event).await?;
        if node == *own {
            self.stop.notify_one();
        }
        Ok(node)
    }

    async fn append(&self, event: outbox::Pending) -> Result<(), Fault> {
        self.service.outbox.append(&*self.service.audit, event).await.map(drop)
    }
}

/// What the store and this node know of all nodes.
pub(crate) fn status(vault: &Vault, cluster: &Cluster) -> Result<Status, Fault> {
    let now = gateway::now().0;
    let (members, logs) = (cluster.members(), audit::logs(vault)?);
    let mut names: Vec<NodeName> = members.iter().map(|member| member.name.clone()).collect();
    names.extend(logs.iter().map(|log| log.node.clone()));
    names.sort();
    names.dedup();
    let row = |node: NodeName| -> Result<NodeRow, Fault> {
        let member = members.iter().find(|member| member.name == node);
        let log = logs.iter().find(|log| log.node == node);
        let state = match member {
            Some(_) => State::Serves,
            None if left::has_left(vault, &node)? => State::Left,
            None => State::Gone,
        };
        Ok(NodeRow {
            state,
            worker: member.is_some_and(|member| member.is_worker),
            version: member.map(|member| member.record.version.clone()),
            address: member.and_then(|member| member.record.address.clone()),
            silent_milliseconds: member.map(|member| member.silent_ns / 1_000_000),
            clock_ahead_seconds: member.map(|member| {
                let silent_secs = i64::try_from(member.silent_ns / 1_000_000_000).unwrap_or(i64::MAX);
                let ahead = member.record.wall_secs.saturating_add(silent_secs).saturating_sub(now);
                if ahead.abs() <= silent_secs.saturating_add(1) { 0 } else { ahead }
            }),
            log: log.and_then(|log| {
                let head = log.head?;
                Some(LogRow { origin: log.origin.clone(), events: head.size, root: head.root_text() })
            }),
            node,
        })
    };
    Ok(Status { node: cluster.name().clone(), nodes: names.into_iter().map(row).collect::<Result<_, _>>()? })
}
