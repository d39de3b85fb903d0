//! The MACs over the end of the audit log: `tail::parse`.
//!
//! Input: the content of the file. What is read stands there, at one of the two places.

#![no_main]

use jomae_log::tail;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    let macs: Vec<tail::TailMac> = tail::parse(content).collect();
    assert!(macs.len() <= 2);
    for mac in macs {
        let bytes = mac.to_bytes();
        assert!(content.starts_with(&bytes) || content.get(4096..).is_some_and(|rest| rest.starts_with(&bytes)));
    }
});
