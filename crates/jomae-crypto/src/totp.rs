//! Codes of virtual MFA devices: TOTP (RFC 6238) with HMAC-SHA1, six digits and steps of 30 seconds, which every
//! authenticator app has.

use totp_rs::{Builder, Secret, Totp};

use crate::secret::SecretBytes;

/// Length of a seed, in bytes: what RFC 4226 recommends.
pub const SEED_BYTES: usize = 20;
/// Digits of a code.
pub const DIGITS: usize = 6;
/// How long a code is shown, in seconds.
pub const STEP_SECS: u64 = 30;
/// Steps by which the clock of a device may be off.
const SKEW_STEPS: u16 = 1;

/// A new seed.
pub fn new_seed() -> SecretBytes {
    SecretBytes::random(SEED_BYTES)
}

/// Longest seed that is read, in characters.
const SEED_CHARS_MAX: usize = 128;

/// The seed that [`seed_text`] shows, as an app reads it. For tools and tests.
pub fn seed_of_text(text: &str) -> Option<SecretBytes> {
    if text.len() > SEED_CHARS_MAX {
        return None;
    }
    let secret = Secret::try_from_base32(text).ok()?;
    Some(SecretBytes::new(secret.as_ref().to_vec()))
}

/// The seed as people type it into their app: Base32 without padding.
pub fn seed_text(seed: &SecretBytes) -> SecretBytes {
    let secret = Secret::from(seed.expose().to_vec());
    SecretBytes::new(secret.to_base32().into_bytes())
}

fn device(seed: &SecretBytes, skew: u16) -> Option<Totp> {
    Builder::new().with_secret(seed.expose().to_vec()).with_skew(skew).build().ok()
}

fn digits_of(code: &SecretBytes) -> Option<&str> {
    let is_code = code.len() == DIGITS && code.expose().iter().all(u8::is_ascii_digit);
    std::str::from_utf8(code.expose()).ok().filter(|_| is_code)
}

/// The step to which a code belongs, if the device shows it now, or one step before or after. A step must be accepted
/// once only, which is for the caller to see to.
pub fn step_of(seed: &SecretBytes, code: &SecretBytes, now_secs: u64) -> Option<u64> {
    let code = digits_of(code)?;
    device(seed, SKEW_STEPS)?.check(code, now_secs)
}

/// The step of the second of two codes that the device shows one after the other, the second of them now or one step
/// before or after.
pub fn step_of_two(seed: &SecretBytes, first: &SecretBytes, second: &SecretBytes, now_secs: u64) -> Option<u64> {
    let (first, second) = (digits_of(first)?, digits_of(second)?);
    let device = device(seed, 0)?;
    let now = now_secs / STEP_SECS;
    let skew = u64::from(SKEW_STEPS);
    (now.saturating_sub(skew).max(1)..=now.saturating_add(skew)).find(|step| {
        let shows = |step: u64, code| device.check(code, step.saturating_mul(STEP_SECS)).is_some();
        shows(*step, second) && shows(step - 1, first)
    })
}

/// What the device shows in a step. For those who have the seed: tools and tests.
pub fn code(seed: &SecretBytes, step: u64) -> Option<SecretBytes> {
    Some(SecretBytes::new(device(seed, 0)?.generate(step.saturating_mul(STEP_SECS)).to_string().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rfc() -> SecretBytes {
        SecretBytes::new(b"12345678901234567890".to_vec())
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA1, the last six of its eight digits.
        for (secs, shown) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(&rfc(), secs / STEP_SECS).unwrap().expose(), shown.as_bytes());
            assert_eq!(step_of(&rfc(), &SecretBytes::new(shown.as_bytes().to_vec()), secs), Some(secs / STEP_SECS));
        }
        assert_eq!(seed_text(&rfc()).expose(), b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(seed_of_text("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap().expose(), rfc().expose());
    }

    #[test]
    fn one_step_of_skew_and_no_more() {
        let shown = code(&rfc(), 1000).unwrap();
        for (step, accepted) in [(998, false), (999, true), (1000, true), (1001, true), (1002, false)] {
            assert_eq!(step_of(&rfc(), &shown, step * STEP_SECS).is_some(), accepted, "{step}");
        }
    }

    #[test]
    fn two_codes_must_follow_each_other() {
        let shown = |step| code(&rfc(), step).unwrap();
        let now = 1000 * STEP_SECS;
        assert_eq!(step_of_two(&rfc(), &shown(999), &shown(1000), now), Some(1000));
        assert_eq!(step_of_two(&rfc(), &shown(998), &shown(999), now), Some(999));
        for (first, second) in [(1000, 999), (1000, 1000), (998, 1000), (997, 998)] {
            assert_eq!(step_of_two(&rfc(), &shown(first), &shown(second), now), None, "{first} {second}");
        }
    }

    proptest! {
        #[test]
        fn no_code_panics(code in ".{0,12}", seed in proptest::collection::vec(any::<u8>(), 0..40), now: u64) {
            let (seed, code) = (SecretBytes::new(seed), SecretBytes::new(code.into_bytes()));
            let _ = seed_of_text(&String::from_utf8_lossy(code.expose()));
            let _ = step_of(&seed, &code, now / 2);
            let _ = step_of_two(&seed, &code, &code, now);
        }

        #[test]
        fn what_is_shown_is_accepted(seed: [u8; SEED_BYTES], now in 0..4_000_000_000_u64) {
            let seed = SecretBytes::new(seed.to_vec());
            let shown = code(&seed, now / STEP_SECS).unwrap();
            prop_assert_eq!(shown.len(), DIGITS);
            prop_assert!(step_of(&seed, &shown, now).is_some());
        }
    }
}
