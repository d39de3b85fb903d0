//! HTTP, TLS, SQLite, configuration: the running service.
//!
//! Everything that waits or touches the world is here; what keys, states and permissions mean is in `jomae-core`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests do to files what others may"))]

mod about;
pub mod address;
pub mod audit;
pub mod backup;
pub mod bootstrap;
pub mod config;
pub mod console;
pub mod daemon;
pub mod gateway;
pub mod hsm;
pub mod http;
pub mod metrics;
pub mod nodes;
pub mod nonces;
pub mod oidc;
pub mod operate;
pub mod operator;
pub mod pool;
pub mod root_key;
pub mod store;
pub mod tls;

/// The one place where files are opened.
use jomae_files as files;

mod admin;
mod certificates;
pub mod cluster;
mod descriptors;
mod exchange;
mod guard;
mod locked;
mod logging;
mod notify;
mod secret_text;
mod shredding;
mod slots;
mod threads;
pub mod whole;
