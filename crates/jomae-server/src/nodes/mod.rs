//! What the nodes of a cluster do with each other: look up events in each other's logs, and let newcomers in.
//!
//! None of it is on the way of a call that uses a key; those need no other node.

pub(crate) mod authority;
pub(crate) mod channel;
pub(crate) mod joining;
mod left;
pub(crate) mod logs;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;

use std::sync::Arc;

use http::{Method, StatusCode};
use jomae_core::{
    audit::Query,
    cluster::{Cluster, record::NodeName},
    error::{Fault, FaultKind},
    service::Service,
};

pub(crate) use self::authority::Authority;
pub use self::joining::{JoinFailure, join};
use self::{
    channel::{Answer, Asker},
    tokens::TokenError,
};
use crate::{config::Config, gateway};

/// The node that a join token is for, if it is one. Says nothing of whether it is still good.
pub fn token_is_for(token: &[u8]) -> Option<NodeName> {
    tokens::Invitation::parse(token).map(|token| token.node)
}

/// Answers other nodes, and newcomers.
pub(crate) struct NodeApi {
    pub(crate) authority: Arc<Authority>,
    service: Arc<Service>,
    /// As it was at the start; what a newcomer is given is read when it comes.
    config: Config,
}

impl NodeApi {
    pub(crate) fn new(authority: Arc<Authority>, service: Arc<Service>, config: Config) -> Self {
        Self { authority, service, config }
    }

    /// Whether anybody without a certificate may be let in.
    pub(crate) fn expects_newcomers(&self) -> bool {
        tokens::outstanding(&self.service.kms.vault, gateway::now())
    }

    pub(crate) async fn answer(&self, asker: Asker, method: &Method, path: &str, body: &[u8]) -> Answer {
        match (asker, method, path) {
            (Asker::Node, &Method::POST, logs::PATH) => self.lookup(body).await,
            (_, &Method::POST, joining::PATH) => self.welcome(body).await,
            _ => Answer::error(StatusCode::NOT_FOUND, "no such thing between nodes"),
        }
    }

    async fn lookup(&self, body: &[u8]) -> Answer {
        let Ok(query) = serde_json::from_slice::<Query>(body) else {
            return Answer::error(StatusCode::BAD_REQUEST, "the query");
        };
        let found = self.service.audit.lookup(&query).await;
        match found.map_err(|error| error.to_string()).and_then(|page| joining::json(&page).map_err(|e| e.to_string()))
        {
            Ok(body) => Answer { status: StatusCode::OK, body },
            Err(error) => Answer::error(StatusCode::SERVICE_UNAVAILABLE, &error),
        }
    }

    async fn welcome(&self, body: &[u8]) -> Answer {
        let Ok(joining::Request { id, secret, node }) = serde_json::from_slice(body) else {
            return Answer::error(StatusCode::BAD_REQUEST, "the request");
        };
        let welcomed = async {
            // Before the token is gone.
            let welcome = joining::Welcome::of(&self.config).map_err(|error| {
                tracing::warn!(%error, "this node has not what a newcomer needs");
                (StatusCode::SERVICE_UNAVAILABLE, "this node has not what a newcomer needs: see its log".to_owned())
            })?;
            let service = &self.service;
            let (vault, region, now) = (&service.kms.vault, &service.default_region, gateway::now());
            let refused = |error: TokenError| (status_of(&error), error.to_string());
            let event = tokens::take(vault, region, (&id, secret.0.expose()), &node, now).await.map_err(refused)?;
            let logged = service.outbox.append(&*service.audit, event).await;
            logged.map_err(|fault| (StatusCode::SERVICE_UNAVAILABLE, fault.to_string()))?;
            tracing::info!(%node, "a node has joined with a token");
            joining::json(&welcome).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        };
        match welcomed.await {
            Ok(body) => Answer { status: StatusCode::OK, body },
            Err((status, error)) => {
                tracing::warn!(%node, error, "a newcomer was refused");
                Answer::error(status, &error)
            }
        }
    }
}

pub(crate) fn status_of(error: &TokenError) -> StatusCode {
    match error {
        TokenError::TooMany => StatusCode::CONFLICT,
        TokenError::Unknown | TokenError::OtherNode(_) => StatusCode::FORBIDDEN,
        TokenError::Fault(Fault { kind: FaultKind::Internal, .. }) => StatusCode::INTERNAL_SERVER_ERROR,
        TokenError::Fault(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A node that serves has not left.
pub(crate) async fn come_back(service: &Service) -> Result<(), Fault> {
    match service.kms.vault.cluster().map(Cluster::name) {
        Some(name) => left::come_back(&service.kms.vault, name).await,
        None => Ok(()),
    }
}

/// Whether a name is that of a node that serves, as this one knows.
fn lives(cluster: &Cluster, node: &NodeName) -> bool {
    cluster.members().iter().any(|member| member.name == *node)
}
