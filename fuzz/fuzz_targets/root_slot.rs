//! What opens a store: slots of the root key (`Slots::from_bytes`), shares (`Share::from_text`), their sets
//! (`ShareSet::from_line`), and shares that are encrypted to people (`Identities::open`).
//!
//! Input: what stands in the store and in backups, and what a person has in a file or has typed from paper.

#![no_main]

use jomae_core::root::{BYTES_MAX, SLOTS_MAX, Slots};
use jomae_crypto::{
    secret::Key256,
    shares::{SHARES_MAX, Share, ShareSet},
};
use jomae_server::root_key::people::Identities;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(slots) = Slots::from_bytes(input) {
        assert!(input.len() <= BYTES_MAX && slots.slots().len() <= SLOTS_MAX);
        let key = Key256::random();
        assert!(slots.slots().iter().all(|slot| slot.open(&key).is_none()));
        let again = slots.to_bytes().expect("what was read can be written");
        assert!(Slots::from_bytes(&again).is_ok());
    }
    if let Ok(share) = Share::from_text(input) {
        let text = share.to_text();
        let again = Share::from_text(text.expose()).ok().expect("what was written can be read");
        assert_eq!(again.number(), share.number());
        assert!((1..=SHARES_MAX).contains(&share.number()));
    }
    // Nobody is there to whom it is encrypted.
    assert!(Identities::default().open(input).is_none());
    if let Some(set) = std::str::from_utf8(input).ok().and_then(ShareSet::from_line) {
        assert_eq!(ShareSet::from_line(&set.to_line()).as_ref(), Some(&set));
        assert!(set.combine(&[]).is_err());
    }
});
