//! Looking up events in the logs of all nodes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jomae_api::actions::trail::Positions;
use jomae_core::{
    audit::{
        Page, Query,
        lookup::{OtherLog, OtherLogs, Unanswered},
    },
    cluster::record::NodeName,
    error::Fault,
    store::BoxFuture,
    tx::Vault,
};
use tokio::task::JoinSet;

use super::{
    Authority, authority,
    channel::{self, AskError},
    left,
};
use crate::{audit, exchange, logging::Seldom};

/// How long a node may take for its page.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const PATH: &str = "/lookup";

/// The logs of the other nodes, asked over the channel.
pub(crate) struct Logs {
    authority: Arc<Authority>,
    unasked: Seldom,
}

impl Logs {
    pub(crate) fn new(authority: Arc<Authority>) -> Self {
        Self { authority, unasked: Seldom::default() }
    }

    async fn ask(authority: &Authority, node: &NodeName, address: &str, query: &Query) -> Result<Page, AskError> {
        let body = exchange::json(query).map_err(|_| AskError::Unreadable)?;
        let (tls, name) = (authority.tls()?.client, authority::server_name(node.as_str())?);
        let answer = channel::ask(tls, name, address, PATH, body, LOOKUP_TIMEOUT).await?;
        serde_json::from_slice(&answer).map_err(|_| AskError::Unreadable)
    }
}

impl OtherLogs for Logs {
    fn lookup<'a>(
        &'a self,
        vault: &'a Vault,
        query: &'a Query,
        after: &'a Positions,
    ) -> BoxFuture<'a, Result<Vec<OtherLog>, Fault>> {
        Box::pin(async move {
            let Some(cluster) = vault.cluster() else { return Ok(Vec::new()) };
            let members = cluster.members();
            let (mut asking, mut asked) = (JoinSet::new(), HashMap::new());
            let mut answers = Vec::new();
            for log in audit::logs(vault)?.into_iter().filter(|log| log.node != *cluster.name()) {
                let events = log.head.map_or(0, |head| head.size);
                if left::has_left(vault, &log.node)? {
                    continue;
                }
                let member = members.iter().find(|member| member.name == log.node);
                let Some(address) = member.and_then(|member| member.record.address.clone()) else {
                    answers.push(OtherLog { node: log.node, page: Err(Unanswered { events }) });
                    continue;
                };
                let authority = Arc::clone(&self.authority);
                let query = Query { after: after.of(log.node.as_str()), ..query.clone() };
                let node = log.node.clone();
                let task = asking.spawn(async move { Self::ask(&authority, &node, &address, &query).await });
                asked.insert(task.id(), (log.node, Unanswered { events }));
            }
            while let Some(ended) = asking.join_next_with_id().await {
                let (id, page) = match ended {
                    Ok((id, page)) => (id, page.map_err(|error| error.to_string())),
                    Err(error) => (error.id(), Err(error.to_string())),
                };
                let Some((node, unanswered)) = asked.remove(&id) else { continue };
                let page = page.map_err(|error| {
                    // Callers decide how often it is asked.
                    if let Some(times) = self.unasked.due() {
                        tracing::warn!(%node, error, times, "a node was not asked for its events");
                    }
                    unanswered
                });
                answers.push(OtherLog { node, page });
            }
            answers.sort_by(|one, other| one.node.cmp(&other.node));
            Ok(answers)
        })
    }
}
