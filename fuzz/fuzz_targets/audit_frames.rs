//! A compressed file of the audit log: `Frames`.
//!
//! Input: 0 and a file; or a number and lines, of which frames with so many lines each are made, and read again.

#![no_main]

use std::io::{BufRead as _, Read as _};

use jomae_log::frames::{FrameWriter, Frames};
use libfuzzer_sys::fuzz_target;

/// A small file may hold gigabytes.
const READ_MAX: u64 = 4 << 20;

fuzz_target!(|input: &[u8]| {
    match input {
        [0, file @ ..] => {
            let Ok(mut frames) = Frames::open(file) else { return };
            let bytes = frames.content_bytes();
            let mut lines = Vec::new();
            let read = frames.by_ref().take(READ_MAX).read_to_end(&mut lines);
            assert!(lines.len() as u64 <= bytes);
            if read.is_err() || bytes > READ_MAX {
                return;
            }
            assert_eq!(lines.len() as u64, bytes);
            let middle = bytes / 2;
            frames.seek(middle).expect("it was read before");
            let rest = frames.fill_buf().expect("it was read before");
            assert!(lines[middle as usize..].starts_with(rest));
        }
        [count, lines @ ..] => {
            let mut lines = lines.to_vec();
            lines.push(b'\n');
            let mut writer = FrameWriter::new(Vec::new()).expect("memory");
            let each: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
            for some in each.chunks(usize::from(*count)) {
                writer.push(&some.concat()).expect("short enough");
            }
            let file = writer.finish().expect("memory");
            let mut read = Vec::new();
            Frames::open(&file[..]).expect("frames").read_to_end(&mut read).expect("frames");
            assert_eq!(read, lines);
        }
        [] => {}
    }
});
