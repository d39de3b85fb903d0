//! How many bytes of requests may be held at once: by all, by strangers together, by a network's, by one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::HttpFailure;
use super::peers::Seat;

/// The most that a connection holds before a call on it has proved who it is: one request of the largest size.
const STRANGER_BYTES_MAX: usize = 512 * 1024;
/// What part of the total all strangers together may hold.
const STRANGERS_PART: usize = 4;
/// What part of that the strangers of one network may hold, and those of a known network.
const NETWORK_PART: usize = 4;
const KNOWN_NETWORK_PART: usize = 2;

/// A number of bytes that is held.
#[derive(Debug, Default)]
pub(super) struct Share(AtomicUsize);

impl Share {
    /// Adds, unless that would be more than `most`.
    pub(super) fn take(&self, bytes: usize, most: usize) -> bool {
        let fits = self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= most;
        if !fits {
            self.give(bytes);
        }
        fits
    }

    pub(super) fn give(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many are held now.
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that are held for a request, given back when it is dropped.
pub(super) struct Hold {
    seat: Arc<Seat>,
    bytes: usize,
    /// Whether they count as a stranger's.
    strange: bool,
}

impl Hold {
    pub(super) fn new(seat: Arc<Seat>) -> Self {
        let strange = !seat.is_known();
        Self { seat, bytes: 0, strange }
    }

    /// Reserves `more` bytes. To be called before they are allocated.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), HttpFailure> {
        if self.strange && self.seat.is_known() {
            self.vouched();
        }
        if self.strange && !self.take_strange(more) {
            return Err(HttpFailure::TooManyBytes);
        }
        let peers = &self.seat.peers;
        if !peers.stats.request_bytes_held.take(more, peers.request_bytes_max) {
            if self.strange {
                self.give_strange(more);
            }
            return Err(HttpFailure::TooManyBytes);
        }
        self.bytes += more;
        Ok(())
    }

    /// Makes it `bytes` in all.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), HttpFailure> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        if bytes < self.bytes {
            self.shrink(self.bytes - bytes);
        }
        Ok(())
    }

    /// The next request has to prove itself again, unless bytes of it came with the one before.
    pub(super) fn renew(&mut self) {
        if self.bytes == 0 {
            self.strange = !self.seat.is_known();
        }
    }

    /// From now on the bytes count as a known caller's.
    pub(super) fn vouched(&mut self) {
        if self.strange {
            self.give_strange(self.bytes);
            self.strange = false;
        }
    }

    fn take_strange(&self, bytes: usize) -> bool {
        let Seat { peers, crowd, held, .. } = &*self.seat;
        let strangers_max = peers.request_bytes_max / STRANGERS_PART;
        let known = crowd.known.load(Ordering::Relaxed);
        let network_max = strangers_max / if known { KNOWN_NETWORK_PART } else { NETWORK_PART };
        if !held.take(bytes, STRANGER_BYTES_MAX) {
            return false;
        }
        if !crowd.bytes.take(bytes, network_max) {
            held.give(bytes);
            return false;
        }
        if !peers.stats.stranger_bytes_held.take(bytes, strangers_max) {
            held.give(bytes);
            crowd.bytes.give(bytes);
            return false;
        }
        true
    }

    fn give_strange(&self, bytes: usize) {
        let Seat { peers, crowd, held, .. } = &*self.seat;
        held.give(bytes);
        crowd.bytes.give(bytes);
        peers.stats.stranger_bytes_held.give(bytes);
    }

    fn shrink(&mut self, bytes: usize) {
        if self.strange {
            self.give_strange(bytes);
        }
        self.seat.peers.stats.request_bytes_held.give(bytes);
        self.bytes -= bytes;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}
