//! What was sealed as the challenge of a passkey: `Challenge::read`.
//!
//! Input: the content of a message. What is read is no larger than the content.

#![no_main]

use jomae_core::ram::passkeys::Challenge;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Some(read) = Challenge::read(content) {
        assert!(read.bytes.len() + read.origin.len() < content.len());
    }
});
