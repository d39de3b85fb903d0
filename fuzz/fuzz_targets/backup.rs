//! What lies in a place of backups: manifests (`Signed::read`) and frames of objects (`frames::read`).
//!
//! Input: a file that somebody else may have made.

#![no_main]

use jomae_server::backup::{
    frames::{FRAME_BYTES_MAX, read},
    manifest::{FORMAT, MANIFEST_BYTES_MAX, Signed},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok((_, manifest)) = Signed::read(input) {
        assert!(input.len() <= MANIFEST_BYTES_MAX && manifest.format == FORMAT);
    }
    if let Some(frame) = read(input) {
        let written = postcard::to_allocvec(&frame).expect("what was read can be written");
        assert_eq!(read(&written), Some(frame));
        assert!(written.len() <= input.len().max(FRAME_BYTES_MAX));
    }
});
