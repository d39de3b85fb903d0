//! The command line, as a person or a script uses it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod accounts;
mod audit;
mod calls;
mod crypt;
mod document;
mod file;
mod keys;
mod output;
mod people;
mod policy;

use std::path::Path;

use jomae_tests::Server;

/// A path as a word of a command line.
fn word(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// Makes a key with the command line.
fn key(server: &Server) -> String {
    let made = server.jomae(&["key", "create"]).ok();
    let id = made.text().trim_end();
    assert_eq!(id.len(), 36, "{id}");
    id.to_owned()
}
