//! What the tests of this package share: the real binary in a directory of its own, and ways to look at it from
//! outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::return_self_not_must_use,
    reason = "all of this is test code; the lint sees only a library"
)]

pub mod age;
pub mod binary;
pub mod bucket;
pub mod calls;
pub mod cli;
pub mod oidc;
pub mod party;
pub mod random;
pub mod scan;
pub mod server;
pub mod tree;
pub mod wire;

pub use calls::Refused;
pub use cli::Ran;
pub use server::{Server, Site};
