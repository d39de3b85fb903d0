//! What was sealed of a denied call: `diagnosis::read`.
//!
//! Input: the content of a message. What is read is no larger than the content.

#![no_main]

use jomae_core::access::diagnosis;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Some(read) = diagnosis::read(content) {
        let texts = [&read.permission, &read.principal_name, &read.source_ip, &read.disclosed.resource];
        assert!(texts.iter().map(|text| text.len()).sum::<usize>() < content.len());
    }
});
