//! Rust client of the key service, and the envelope file format.

pub mod api;
pub mod file;
