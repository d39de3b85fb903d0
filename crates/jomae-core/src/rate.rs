//! Rate limits per account: off unless the operator sets them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, RwLock},
};

use jomae_api::{action::Class, names::AccountId};

/// Calls per second of one account, by class. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    pub crypto_symmetric_per_sec: Option<u32>,
    pub crypto_asymmetric_per_sec: Option<u32>,
    pub management_per_sec: Option<u32>,
}

impl RateLimits {
    const fn of(&self, class: Class) -> Option<u32> {
        match class {
            Class::CryptoSymmetric => self.crypto_symmetric_per_sec,
            Class::CryptoAsymmetric => self.crypto_asymmetric_per_sec,
            Class::Management => self.management_per_sec,
        }
    }
}

/// How much each account has used.
///
/// The generic cell rate algorithm (ITU-T I.371): one moment per account and class, at which it would have used up
/// what it did. A burst of one second's worth is allowed.
pub struct RateMeter {
    limits: RwLock<RateLimits>,
    moments_ns: Mutex<HashMap<(AccountId, Class), u64>>,
}

/// One second in nanoseconds, which is also the burst.
const SECOND_NS: u64 = 1_000_000_000;

impl RateMeter {
    pub fn new(limits: RateLimits) -> Self {
        Self { limits: RwLock::new(limits), moments_ns: Mutex::default() }
    }

    /// Sets other limits, from the next call on.
    pub fn set_limits(&self, limits: RateLimits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Counts a call at `now_ns` (any steady clock). An error holds the milliseconds after which to try again.
    pub fn admit(&self, account: &AccountId, class: Class, now_ns: u64) -> Result<(), u32> {
        let limits = *self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let Some(per_sec) = limits.of(class).filter(|per_sec| *per_sec > 0) else { return Ok(()) };
        let step_ns = SECOND_NS / u64::from(per_sec);
        let mut moments = self.moments_ns.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = moments.entry((account.clone(), class)).or_insert(now_ns);
        let start = (*moment).max(now_ns);
        let ahead_ns = start.saturating_add(step_ns).saturating_sub(now_ns);
        if ahead_ns > SECOND_NS {
            return Err(u32::try_from((ahead_ns - SECOND_NS).div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1));
        }
        *moment = start + step_ns;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_a_second_then_the_rate() {
        let meter = RateMeter::new(RateLimits { crypto_symmetric_per_sec: Some(10), ..RateLimits::default() });
        let (a, b) = (AccountId::new("1000000000000001").unwrap(), AccountId::new("1000000000000002").unwrap());
        for _ in 0..10 {
            assert_eq!(meter.admit(&a, Class::CryptoSymmetric, 0), Ok(()));
        }
        assert_eq!(meter.admit(&a, Class::CryptoSymmetric, 0), Err(100));
        assert_eq!(meter.admit(&b, Class::CryptoSymmetric, 0), Ok(()), "accounts do not share");
        assert_eq!(meter.admit(&a, Class::Management, 0), Ok(()), "no limit was set");
        assert_eq!(meter.admit(&a, Class::CryptoSymmetric, 100_000_000), Ok(()));
        assert_eq!(meter.admit(&a, Class::CryptoSymmetric, 100_000_000), Err(100));
        for _ in 0..10 {
            assert_eq!(meter.admit(&a, Class::CryptoSymmetric, 10 * SECOND_NS), Ok(()), "unused time is not saved up");
        }
        assert!(meter.admit(&a, Class::CryptoSymmetric, 10 * SECOND_NS).is_err());
    }
}
