//! Every bound of the HTTP side, in one place.

use std::time::Duration;

/// Sizes, counts and times that a connection may use. The defaults are the documented ones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest request line in bytes, without its line end. Default 131,072: official SDKs put a whole 32 KiB policy,
    /// escaped up to threefold, into the query. HTTP/2 stops at 65,534 bytes of path and query.
    pub request_line_bytes_max: usize,
    /// Most bytes of all header fields together. Default 65,536.
    pub header_bytes_max: usize,
    /// Most header fields. Default 100; more than 128 has no effect.
    pub headers_max: usize,
    /// Longest body in bytes, after unchunking. Default 262,144.
    pub body_bytes_max: usize,
    /// Most connections open at once. Default 10,000.
    pub connections_max: usize,
    /// Most bytes of requests held at once, beyond 16 KiB of each HTTP/1 connection. Default 268,435,456.
    pub request_bytes_in_flight_max: usize,
    /// Requests of over 32 KiB that are worked on at a time; others wait, networks in turns. Default 1.
    pub large_at_a_time: usize,
    /// Time for a TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// Time for a head, from its first byte. Default 10 s.
    pub head_timeout: Duration,
    /// Time for a whole body, from the end of the head. Default 20 s.
    pub body_timeout: Duration,
    /// Time to take a whole answer. Default 30 s.
    pub write_timeout: Duration,
    /// Time that a connection may stay open without a request. Default 75 s.
    pub idle_timeout: Duration,
    /// Time for requests under way to finish after a stop was asked for. Default 20 s.
    pub drain_timeout: Duration,
    /// After an answer that closes the connection: how long to read what the client still sends, so that it can read
    /// the answer before it meets a reset. Default 2 s.
    pub linger_timeout: Duration,
    /// The same in bytes. Default 1,048,576.
    pub linger_bytes_max: usize,
}

/// A request whose line and body are longer than this, in bytes, is large: to read, check and log it takes a request
/// thread as long as dozens of others. The longest Encrypt is shorter.
pub const LARGE_BYTES: usize = 32 * 1024;
/// Large requests that may wait.
pub const LARGE_WAITING_MAX: usize = 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line_bytes_max: 128 * 1024,
            header_bytes_max: 64 * 1024,
            headers_max: 100,
            body_bytes_max: 256 * 1024,
            connections_max: 10_000,
            request_bytes_in_flight_max: 256 * 1024 * 1024,
            large_at_a_time: 1,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(20),
            linger_timeout: Duration::from_secs(2),
            linger_bytes_max: 1024 * 1024,
        }
    }
}
