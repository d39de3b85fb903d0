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
mod crypto;
mod deletion;
mod isolation;
mod keys;
mod lists;
mod ranks;
mod rotation;
mod states;
