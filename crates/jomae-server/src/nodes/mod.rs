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
use jomae_api::limits;
use jomae_core::{
    audit::Query,
    cluster::{Cluster, record::NodeName},
    error::{Fault, FaultKind},
    service::Service,
};

pub(crate) use self::authority::Authority;
pub use self::joining::{JoinFailure, join};
use self::{channel::Asker, tokens::TokenError};
use crate::{config::Config, exchange::Answer, gateway, logging::Seldom};

/// Most events of a page that a node asks for: what a caller may.
const PAGE_EVENTS_MAX: usize = *limits::LOOKUP_RESULTS.end() as usize;

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
    refused: Seldom,
}

impl NodeApi {
    pub(crate) fn new(authority: Arc<Authority>, service: Arc<Service>, config: Config) -> Self {
        Self { authority, service, config, refused: Seldom::default() }
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
        if query.limit > PAGE_EVENTS_MAX {
            return Answer::error(StatusCode::BAD_REQUEST, "too many events of a page");
        }
        match self.service.audit.lookup(&query).await {
            Ok(page) => Answer::json(&page).unwrap_or_else(|error| unavailable(&error)),
            Err(error) => unavailable(&error),
        }
    }

    async fn welcome(&self, body: &[u8]) -> Answer {
        let Ok(request) = serde_json::from_slice::<joining::Request>(body) else {
            return Answer::error(StatusCode::BAD_REQUEST, "the request");
        };
        let node = &request.node;
        match self.give(&request).await {
            Ok(answer) => {
                tracing::info!(%node, "a node has joined with a token");
                answer
            }
            Err(error) => {
                if let Some(times) = self.refused.due() {
                    tracing::warn!(%node, %error, times, "a newcomer was refused");
                }
                Answer::error(status_of(&error), &error.to_string())
            }
        }
    }

    /// What a newcomer needs, for a token that is gone then.
    async fn give(&self, joining::Request { id, secret, node }: &joining::Request) -> Result<Answer, TokenError> {
        let service = &self.service;
        let (vault, region, now) = (&service.kms.vault, &service.default_region, gateway::now());
        let token = (id.as_str(), secret.0.expose());
        tokens::check(vault, token, node, now).await?;
        // What cannot be given costs no token.
        let answer = joining::Welcome::of(&self.config).map_err(|error| {
            tracing::warn!(%error, "this node has not what a newcomer needs");
            Fault::unavailable("this node has not what a newcomer needs: see its log")
        })?;
        let answer = Answer::json(&answer).map_err(Fault::internal)?;
        let event = tokens::take(vault, region, token, node, now).await?;
        service.outbox.append(&*service.audit, event).await?;
        Ok(answer)
    }
}

fn unavailable(error: &dyn std::error::Error) -> Answer {
    Answer::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
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
