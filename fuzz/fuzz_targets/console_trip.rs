//! What a browser holds while its user is at a provider of identities: `Trip::of_cookie`.
//!
//! Input: the cookie, as text, and the time in the middle of the seeds. What is read is written and read again as it was.

#![no_main]

use jomae_api::time::Timestamp;
use jomae_server::oidc::Trip;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_800_000_000);

fuzz_target!(|cookie: &str| {
    if let Some(trip) = Trip::of_cookie(cookie, NOW) {
        let again = Trip::of_cookie(&trip.to_cookie(), NOW).expect("what was read is good");
        assert!((again.provider, again.back, again.began) == (trip.provider, trip.back, trip.began));
    }
});
