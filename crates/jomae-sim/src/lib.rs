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

/// Waits until something holds, a minute at most, and says what does not come.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !holds() {
        assert!(std::time::Instant::now() < until, "{what} does not come");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
