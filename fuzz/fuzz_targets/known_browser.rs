//! What was sealed of a browser in which somebody has signed in: `KnownBrowser::read`.
//!
//! Input: the content of a message. What is read is no larger than the content.

#![no_main]

use jomae_core::ram::sign_in::KnownBrowser;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Some(read) = KnownBrowser::read(content) {
        assert!(read.user_id.len() + read.id.len() < content.len());
    }
});
