//! Source networks, and how often strangers of one may have work done for them.

use core::net::IpAddr;
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::hashed::{HashKey, Prehashed};

/// An IPv4 address, or the /64 in which an IPv6 address lies: one customer of a provider has at least that much.
pub fn of(source_ip: &str) -> Cow<'_, str> {
    if !source_ip.contains(':') {
        return Cow::Borrowed(source_ip);
    }
    match source_ip.parse() {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            Cow::Owned(format!("{a:x}:{b:x}:{c:x}:{d:x}"))
        }
        _ => Cow::Borrowed(source_ip),
    }
}

/// Networks that are remembered.
const NETWORKS_MAX: usize = 65_536;
/// What may be asked for at once after a pause, in seconds of the rate.
const BURST_SECS: u64 = 5;
const SECOND_NS: u64 = 1_000_000_000;

/// A rate for each source network: the generic cell rate algorithm (ITU-T I.371).
pub struct NetworkMeter {
    per_sec: u64,
    key: HashKey,
    /// The moment at which a network will have used up what it did.
    moments_ns: Mutex<HashMap<u128, u64, Prehashed>>,
}

impl NetworkMeter {
    /// `per_sec` pieces of work a second for each network; 0: no limit.
    pub fn new(per_sec: u32) -> Self {
        Self { per_sec: u64::from(per_sec), key: HashKey::random(), moments_ns: Mutex::default() }
    }

    /// Counts one piece of work at `now_ns` of a steady clock. An error holds the milliseconds after which to try again.
    pub fn admit(&self, source_ip: &str, now_ns: u64) -> Result<(), u32> {
        if self.per_sec == 0 {
            return Ok(());
        }
        let step_ns = SECOND_NS / self.per_sec;
        let network = self.key.hash(&[&of(source_ip)]);
        let mut moments = self.moments_ns.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= NETWORKS_MAX && !moments.contains_key(&network) {
            moments.retain(|_, moment| *moment > now_ns);
            if moments.len() >= NETWORKS_MAX {
                // So many networks at work at once: what is not remembered cannot be bounded.
                return Err(1000);
            }
        }
        let moment = moments.entry(network).or_insert(now_ns);
        let start = (*moment).max(now_ns);
        let ahead_ns = start + step_ns - now_ns;
        let burst_ns = BURST_SECS * SECOND_NS;
        if ahead_ns > burst_ns {
            return Err(u32::try_from((ahead_ns - burst_ns).div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1));
        }
        *moment = start + step_ns;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_rate() {
        let meter = NetworkMeter::new(10);
        for _ in 0..50 {
            assert_eq!(meter.admit("203.0.113.1", 0), Ok(()));
        }
        assert_eq!(meter.admit("203.0.113.1", 0), Err(100));
        assert_eq!(meter.admit("203.0.113.2", 0), Ok(()));
        assert_eq!(meter.admit("203.0.113.1", SECOND_NS / 10), Ok(()));
        for _ in 0..50 {
            assert_eq!(meter.admit("2001:db8::1", 0), Ok(()));
        }
        assert!(meter.admit("2001:db8::2", 0).is_err(), "neighbours are one");
        assert_eq!(NetworkMeter::new(0).admit("203.0.113.1", 0), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let meter = NetworkMeter::new(1);
        for n in 0..NETWORKS_MAX {
            assert_eq!(meter.admit(&format!("n{n}"), 0), Ok(()));
        }
        assert!(meter.admit("one more", 0).is_err());
        assert_eq!(meter.admit("one more", 2 * SECOND_NS), Ok(()));
        assert_eq!(meter.moments_ns.lock().unwrap().len(), 1);
    }
}
