//! Counters of the HTTP side, read by whoever exports metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::HttpFailure;
use super::budget::Share;

/// A number that several threads add to.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, by: u64) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Counters since the process started, and what is open and held now.
///
/// The three that every request touches come first and share a cache line.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct HttpStats {
    /// Complete requests given to the service.
    pub requests: Counter,
    /// Bytes of complete requests, head and body, before any unchunking; HTTP/2: bodies only.
    pub bytes_in: Counter,
    /// Bytes of answers, head and body; HTTP/2: bodies only.
    pub bytes_out: Counter,
    /// Connections open now.
    pub connections_open: Counter,
    /// Connections accepted.
    pub connections_total: Counter,
    /// Connections that may be open at once.
    pub connections_max: Counter,
    /// Connections of callers who had not proved who they are, closed to make room for another one.
    pub strangers_closed: Counter,
    /// TLS handshakes that had to wait because their network makes many.
    pub handshakes_delayed: Counter,
    /// Connections closed because their network makes too many handshakes.
    pub handshakes_refused: Counter,
    /// Connections from trusted proxies whose PROXY header is wrong or missing.
    pub proxy_failures: Counter,
    /// TLS handshakes that failed or took too long.
    pub tls_failures: Counter,
    /// Panics caught: in the service, or in a connection's task.
    pub panics: Counter,
    malformed: [Counter; HttpFailure::ALL.len()],
    pub(super) request_bytes_held: Share,
    pub(super) stranger_bytes_held: Share,
}

impl HttpStats {
    /// Bytes of requests that are held now, beyond each connection's fixed buffer.
    pub fn request_bytes(&self) -> u64 {
        self.request_bytes_held.get() as u64
    }

    /// Those of them on connections on which no call has proved who it is.
    pub fn stranger_bytes(&self) -> u64 {
        self.stranger_bytes_held.get() as u64
    }

    /// How often [`super::Service::malformed`] was asked for this kind of answer.
    pub fn malformed(&self, why: HttpFailure) -> &Counter {
        // The enum has no other values than those listed in `ALL`, which a test compares.
        &self.malformed[why as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_malformed_has_its_own_counter_and_label() {
        let stats = HttpStats::default();
        for (index, why) in HttpFailure::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index);
            stats.malformed(why).add(1);
            assert_eq!(stats.malformed(why).get(), 1);
        }
        let mut labels: Vec<_> = HttpFailure::ALL.into_iter().map(HttpFailure::label).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), HttpFailure::ALL.len());
    }
}
