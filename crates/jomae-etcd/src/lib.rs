//! A thin client of etcd's v3 API: ranges, transactions, watches. It knows nothing of what is stored.
//!
//! What it is careful about is whether a write can have happened. A request that never left, or that a member answered
//! with a refusal, goes to the next member within the call's time; a write that may have reached a member and got no
//! answer ends as [`Error::Unknown`], and is never sent again.

mod client;
mod error;
mod line;
pub mod proto;
mod watch;

use std::time::Duration;

pub use client::Client;
pub use error::{ConfigError, Error};
pub use watch::Watch;
use zeroize::Zeroizing;

/// Largest answer that is read, in bytes; a larger one is [`Error::TooLarge`].
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How to reach a cluster.
#[derive(Clone)]
pub struct Config {
    /// `http://host:port` or `https://host:port`, one for each member.
    pub endpoints: Vec<String>,
    /// For a call in all, on whatever members.
    pub call_timeout: Duration,
    /// For TCP and TLS with one member.
    pub connect_timeout: Duration,
    /// Between pings on a connection.
    pub keep_alive_interval: Duration,
    /// For the answer to a ping, after which the connection counts as lost.
    pub keep_alive_timeout: Duration,
}

/// Whom to trust, and as whom to come. etcd knows a client by the common name of its certificate.
#[derive(Clone)]
pub struct Tls {
    /// PEM: the certificates that may have signed a member's.
    pub ca: Vec<u8>,
    pub identity: Option<Identity>,
}

/// A certificate chain and its private key, in PEM.
#[derive(Clone)]
pub struct Identity {
    pub certificate: Vec<u8>,
    pub key: Zeroizing<Vec<u8>>,
}

impl Config {
    /// With the times that fit a cluster in one place.
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            call_timeout: Duration::from_millis(1500),
            connect_timeout: Duration::from_millis(500),
            keep_alive_interval: Duration::from_secs(3),
            keep_alive_timeout: Duration::from_secs(2),
        }
    }
}

/// The end of the range of all keys that start with `prefix`; empty for all keys that come after it, as etcd has it.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_key_without_it() {
        assert_eq!(prefix_end(b"jomae/"), b"jomae0");
        assert_eq!(prefix_end(b"a\xff\xff"), b"b");
        assert_eq!(prefix_end(b"\xff"), [0]);
    }
}
