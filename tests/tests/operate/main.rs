//! What an operator does: first start, backup, restore, doctor, domain keys, signals, regions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod backups;
mod copies;
mod disaster;
mod doctor;
mod federation;
mod first_start;
mod regions;
mod replay;
mod shredding;
mod shredding_nodes;
mod signals;

use std::path::Path;

/// A path as a word of a command line.
fn word(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}
