//! The contract: actions, parameters, limits, names, error codes, wire forms, signing and verifying.
//!
//! Knows nothing of storage, sockets, time or state: the server, the client, the documents and the tests read the
//! same declarations here.

#![warn(missing_docs)]

pub mod action;
pub mod actions;
pub mod answer;
pub mod api;
pub mod denied;
pub mod describe;
pub mod error;
pub mod json;
pub mod limits;
pub mod names;
pub mod param;
pub mod policy;
pub mod sign;
pub mod spec;
pub mod text;
pub mod time;
pub mod wire;

/// The API version that every KMS request names.
pub const API_VERSION: &str = "2016-01-20";
