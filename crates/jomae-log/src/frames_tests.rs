//! Frames: the same lines again from any place, and nothing else from any file.

use proptest::prelude::*;

use super::*;

/// A file of these frames.
fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = FrameWriter::new(Vec::new()).unwrap();
    for frame in frames {
        writer.push(frame).unwrap();
    }
    writer.finish().unwrap()
}

fn read(file: &[u8], offset: u64) -> io::Result<Vec<u8>> {
    let mut frames = Frames::open(file)?;
    frames.seek(offset)?;
    let mut lines = Vec::new();
    frames.read_to_end(&mut lines)?;
    Ok(lines)
}

fn why(read: io::Result<Vec<u8>>) -> String {
    let error = read.unwrap_err();
    assert!(is_damage(&error), "{error}");
    error.to_string()
}

proptest! {
    #[test]
    fn any_split_of_lines_reads_back_the_same(
        lines in prop::collection::vec(("[a-z]{0,40}", any::<bool>()), 1..60),
        places in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let mut frames = vec![Vec::new()];
        for (line, closes) in &lines {
            let last = frames.last_mut().unwrap();
            last.extend(line.as_bytes());
            last.push(b'\n');
            if *closes {
                frames.push(Vec::new());
            }
        }
        frames.retain(|frame| !frame.is_empty());
        let (all, file) = (frames.concat(), file(&frames));
        let mut one = Frames::open(&file[..]).unwrap();
        prop_assert_eq!(one.content_bytes(), all.len() as u64);
        for place in places {
            let at = place.index(all.len() + 1);
            prop_assert_eq!(read(&file, at as u64).unwrap(), &all[at..]);
            // Also after others.
            one.seek(at as u64).unwrap();
            let rest = one.fill_buf().unwrap();
            prop_assert!(all[at..].starts_with(rest) && (at == all.len() || !rest.is_empty()));
        }
    }
}

#[test]
fn every_tool_reads_it() {
    let frames = [b"{\"a\":1}\n{}\n".to_vec(), b"x\n".repeat(9000), b"\n".to_vec()];
    assert_eq!(zstd::stream::decode_all(&file(&frames)[..]).unwrap(), frames.concat());
    assert!(zstd::stream::decode_all(&file(&[])[..]).unwrap().is_empty());
    assert!(read(&file(&[]), 0).unwrap().is_empty());
}

#[test]
fn a_change_of_any_byte_is_damage() {
    let frames = [b"one\ntwo\n".to_vec(), b"three\n".repeat(100)];
    let (good, all) = (file(&frames), frames.concat());
    for at in 0..good.len() {
        for bit in [1, 16, 128] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            // A bit of a header that no reader uses may change.
            match read(&bad, 0) {
                Ok(lines) => assert_eq!(lines, all, "byte {at}"),
                Err(error) => assert!(is_damage(&error), "byte {at}: {error}"),
            }
        }
        why(read(&good[..at], 0));
    }
    why(read(&[&good[..], b"x"].concat(), 0));
    why(read(&[b"x", &good[..]].concat(), 0));
}

#[test]
fn the_place_of_damage_is_told_and_other_frames_are_read() {
    let frames = [b"one\n".to_vec(), b"two\n".repeat(50), b"three\n".to_vec()];
    let mut bad = file(&frames);
    let second = file(&frames[..1]).len() - TABLE_HEAD_BYTES - ENTRY_BYTES - FOOTER_BYTES;
    bad[second + 12] ^= 1;
    assert!(why(read(&bad, 0)).contains(&format!("the frame at byte {second} is damaged")));
    assert_eq!(read(&bad, 204).unwrap(), b"three\n");
    assert!(why(read(&file(&[b"a\nb".to_vec()]), 0)).contains("within a line"));
}

#[test]
fn a_frame_takes_no_more_memory_than_a_frame_may() {
    // It says in the table to be short, and holds more.
    let long = vec![b'\n'; FRAME_BYTES_MAX];
    let mut bad = file(std::slice::from_ref(&long));
    let entry = bad.len() - FOOTER_BYTES - 4;
    bad[entry..entry + 4].copy_from_slice(&10u32.to_le_bytes());
    assert!(why(read(&bad, 0)).contains("not that of the table"));
    // It says to be longer than any may be.
    bad[entry..entry + 4].copy_from_slice(&u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_le_bytes());
    assert!(why(read(&bad, 0)).contains("too long"));
    assert!(FrameWriter::new(Vec::new()).unwrap().push(&vec![b'\n'; FRAME_BYTES_MAX + 1]).is_err());
    assert_eq!(read(&file(std::slice::from_ref(&long)), 0).unwrap(), long);
    // Two frames under one entry.
    let (two, head) = (file(&[b"a\n".to_vec(), b"b\n".to_vec()]), TABLE_HEAD_BYTES + 2 * ENTRY_BYTES + FOOTER_BYTES);
    let both = &two[..two.len() - head];
    let mut one = [both, &TABLE_MAGIC.to_le_bytes(), &17u32.to_le_bytes()].concat();
    for number in [u32::try_from(both.len()).unwrap(), 2, 1] {
        one.extend(number.to_le_bytes());
    }
    one.push(0);
    one.extend(SEEKABLE_MAGIC.to_le_bytes());
    assert!(why(read(&one, 0)).contains("does not end where the table says"));
    // More frames than there can be.
    let count = bad.len() - FOOTER_BYTES;
    bad[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(why(read(&bad, 0)).contains("table is too long"));
}
