//! The whole service in one process: what it answers, what it keeps, what it records, and how it fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

#[path = "../common/mod.rs"]
mod common;

mod aliases;
mod asymmetric;
mod audit;
mod client_token;
mod concurrency;
mod crypto;
mod deletion;
mod export;
mod faults;
mod identity;
mod import;
mod import_life;
mod isolation;
mod keys;
mod lists;
mod mac;
mod policy;
mod ranks;
mod re_encrypt;
mod refusals;
mod rotation;
mod states;
mod tags;
mod tamper;
mod usage;
mod versions;
mod xml;
