//! The nonces that a stop leaves: `nonces::file::read`.
//!
//! Input: the content of the file. What is read and written again is the same file.

#![no_main]

use jomae_server::nonces::file::{self, Writer};
use libfuzzer_sys::fuzz_target;

const ENTRIES_MAX: u64 = 500;

fuzz_target!(|content: &[u8]| {
    let mut entries = Vec::new();
    let read = file::read(&mut &*content, ENTRIES_MAX, |generation, hash| entries.push((generation, hash)));
    assert!(entries.len() as u64 <= ENTRIES_MAX);
    let Ok(fingerprint) = read else { return };
    let mut again = Vec::new();
    let mut writer = Writer::new(&mut again);
    for (generation, hash) in entries {
        writer.entry(generation, hash).expect("memory takes it");
    }
    assert_eq!(writer.finish().expect("memory takes it"), fingerprint);
    assert_eq!(again, content);
});
