//! Exercise suites, models and fault wrappers for every store and backend. Development only: nothing here is shipped.
//!
//! The exercises say what went wrong by panicking, as tests do.

#![allow(clippy::expect_used, clippy::panic, reason = "this whole crate is test code")]

pub mod authenticator;
pub mod cluster;
pub mod etcd;
pub mod faults;
pub mod kryoptic;
pub mod model;
pub mod proxy;
pub mod softhsm;
pub mod store_suite;

pub use pollster::block_on;
