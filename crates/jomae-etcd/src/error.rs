//! What can go wrong, by what it means for a write.

use tonic::{Code, Status};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no endpoint is given")]
    NoEndpoint,
    #[error("{0:?} is not an endpoint: http://host:port or https://host:port")]
    Endpoint(String),
    #[error("an https endpoint needs a CA certificate")]
    NoCa,
    #[error("the CA file holds no valid PEM certificate")]
    Ca,
    #[error("the client certificate and key cannot be used: {0}")]
    Identity(String),
}

/// Why a call has no result. After every one but `Unknown` nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No member could be reached, or none could do it now.
    #[error("{0}")]
    Unreachable(String),
    /// One of the two sides does not accept the other's certificate.
    #[error("a certificate is not accepted: {0}")]
    Certificate(String),
    #[error("permission denied: {0}")]
    PermissionDenied(String),
    /// What was asked for at a revision is gone.
    #[error("the revision is compacted")]
    Compacted,
    /// The answer is over [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX). Only reads get it.
    #[error("the answer is too large")]
    TooLarge,
    /// etcd refused it and will again.
    #[error("refused: {0}")]
    Refused(String),
    /// The write may or may not have happened. A read has failed.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// What an answer that is an error means.
pub(crate) fn from_status(status: &Status) -> Error {
    let text = status.message().to_owned();
    match status.code() {
        // The texts are etcd's; its codes alone do not say whether something was proposed.
        Code::Unavailable if text == "etcdserver: no leader" => Error::Unreachable(text),
        Code::ResourceExhausted if text == "etcdserver: too many requests" => Error::Unreachable(text),
        Code::Unknown if text == "raft proposal dropped" => Error::Unreachable(text),
        Code::OutOfRange if text.contains("compacted") => Error::Compacted,
        Code::OutOfRange if text.contains("message length too large") => Error::TooLarge,
        Code::PermissionDenied | Code::Unauthenticated => Error::PermissionDenied(text),
        // Without a user in the certificate's name, etcd with authentication says this.
        Code::InvalidArgument if text.contains("user name is empty") => Error::PermissionDenied(text),
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::ResourceExhausted
        | Code::NotFound
        | Code::OutOfRange
        | Code::Unimplemented => Error::Refused(text),
        _ => Error::Unknown(text),
    }
}
