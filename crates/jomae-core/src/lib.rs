//! The service: run, access, keys, audit; owner of the traits `Store`, `RootKey`, `KeyBackend` and `AuditSink`.
//!
//! Knows no runtime, socket, file, environment or clock: the moment of a call and the waiting are parameters, so the
//! whole service runs inside a test.
//!
//! A request goes one way: [`service::Service::answer`] (who?) → [`run`] (may they?) → a handler in [`keys`],
//! [`crypto`], [`aliases`] or [`account`] (do it) → [`tx`] and [`audit`] (keep it).

pub mod access;
pub mod account;
pub mod aliases;
pub mod audit;
pub mod backend;
pub mod cache;
pub mod call;
pub mod calls;
pub mod client_token;
pub mod cluster;
pub mod crypto;
pub mod error;
pub mod form;
mod hashed;
pub mod host;
pub mod identity;
pub mod import;
pub mod key_index;
pub mod keyring;
pub mod keys;
pub mod lane;
pub mod lockout;
pub mod network;
pub mod nonce;
pub mod oidc;
pub mod operator;
pub mod places;
pub mod policy;
mod prelude;
pub mod quota;
pub mod ram;
pub mod rank;
pub mod rate;
pub mod record;
pub mod rivals;
pub mod root;
pub mod run;
pub mod service;
pub mod shares;
pub mod shredding;
pub mod store;
pub mod stored;
pub mod sts;
pub mod tags;
pub mod trail;
pub mod turns;
pub mod tx;
pub mod usage;
pub mod versions;
pub mod wait;
pub mod webauthn;
pub mod whole;
pub mod work;
