//! Rust client of the key service, and the envelope file format.

#![warn(missing_docs)]

pub mod api;
pub mod file;
