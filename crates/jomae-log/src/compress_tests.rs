//! Compressing: what takes the place of a segment, and when it does not.

use super::*;
use crate::lines::Lines;

fn pieces(content: &[u8]) -> io::Result<Vec<usize>> {
    let (mut pieces, mut all) = (Vec::new(), Vec::new());
    each_frame(content, |lines| {
        assert!(lines.ends_with(b"\n") && lines.len() <= FRAME_BYTES_MAX);
        pieces.push(lines.len());
        all.extend_from_slice(lines);
        Ok(())
    })?;
    assert_eq!(all, content);
    Ok(pieces)
}

#[test]
fn frames_hold_whole_lines() {
    let line = |bytes: usize| [vec![b'x'; bytes - 1], b"\n".to_vec()].concat();
    assert_eq!(pieces(b"").unwrap(), [0; 0]);
    assert_eq!(pieces(b"\n").unwrap(), [1]);
    assert_eq!(pieces(&line(FRAME_LINES_BYTES)).unwrap(), [FRAME_LINES_BYTES]);
    let thousands = line(1000).repeat(600);
    assert_eq!(pieces(&thousands).unwrap(), [262_000, 262_000, 76_000]);
    let longest = [line(10), line(FRAME_BYTES_MAX), line(7)].concat();
    assert_eq!(pieces(&longest).unwrap(), [10, FRAME_BYTES_MAX, 7]);
    for wrong in [b"a\nb".to_vec(), line(FRAME_BYTES_MAX + 1)] {
        assert_eq!(pieces(&wrong).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

/// A directory with segments of these contents, each of two lines but the last.
fn site(contents: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (content, first) in contents.iter().zip((0..).step_by(2)) {
        fs::write(layout::segment(dir.path(), first), content).unwrap();
    }
    dir
}

fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().map(|name| name.trim_start_matches('0').to_owned()).collect()
}

fn all_lines(dir: &tempfile::TempDir) -> String {
    let mut text = String::new();
    for segment in layout::segments(dir.path()).unwrap() {
        let mut lines = Lines::open(&segment.path).unwrap();
        while let Some(line) = lines.next_line().unwrap() {
            text += &String::from_utf8_lossy(line);
        }
    }
    text
}

#[test]
fn closed_segments_that_are_covered_are_compressed_and_no_others() {
    let dir = site(&["a\nb\n", "c\nd\n", "e\nf\n", "g\n"]);
    let (closed, mut refused) = (Closed::default(), BTreeSet::new());
    compress_all(dir.path(), &closed, 3, &mut refused).unwrap();
    assert_eq!(names(&dir), [".jsonl.zst", "2.jsonl", "4.jsonl", "6.jsonl"]);
    compress_all(dir.path(), &closed, 7, &mut refused).unwrap();
    assert_eq!(names(&dir), [".jsonl.zst", "2.jsonl.zst", "4.jsonl.zst", "6.jsonl"]);
    assert_eq!((all_lines(&dir), refused.len()), ("abcdefg".into(), 0));
}

#[test]
fn whatever_a_crash_leaves_the_segment_counts_as_long_as_it_is_there() {
    let dir = site(&["a\nb\n", "c\n"]);
    let segment = layout::segment(dir.path(), 0);
    // Before the new name, and before the old file was removed; the compressed one is another than it should be.
    fs::write(layout::partial(&segment), "half").unwrap();
    fs::write(layout::compressed(&segment), "older").unwrap();
    assert_eq!(all_lines(&dir), "abc");
    compress_all(dir.path(), &Closed::default(), 9, &mut BTreeSet::new()).unwrap();
    assert_eq!((names(&dir), all_lines(&dir)), (vec![".jsonl.zst".into(), "2.jsonl".into()], "abc".into()));
    // It was listed before.
    let mut lines = Lines::open_at(&segment, 2).unwrap();
    assert_eq!(lines.next_line().unwrap(), Some(&b"b"[..]));
    assert_eq!(lines.offset(), 4);
}

#[test]
fn a_segment_that_is_damaged_or_removed_is_left_alone() {
    let dir = site(&["a\nb", "c\nd\n", "e\n"]);
    let mut refused = BTreeSet::new();
    compress_all(dir.path(), &Closed::default(), 9, &mut refused).unwrap();
    assert_eq!((names(&dir), refused), (vec![".jsonl".into(), "2.jsonl.zst".into(), "4.jsonl".into()], [0].into()));
    // Retention removes it while it is being compressed.
    let removed = Segment { first: 4, path: layout::segment(dir.path(), 4) };
    make(&removed.path, &layout::partial(&removed.path), &Closed::default()).unwrap();
    fs::remove_file(&removed.path).unwrap();
    compress(&removed, &Closed::default()).unwrap_err();
    // The log is being closed.
    let closed = Closed::default();
    closed.stop.store(true, Ordering::Release);
    let segment = Segment { first: 6, path: layout::segment(dir.path(), 6) };
    fs::write(&segment.path, "g\n").unwrap();
    assert_eq!(compress(&segment, &closed).unwrap_err().kind(), io::ErrorKind::Interrupted);
    assert_eq!(names(&dir), [".jsonl", "2.jsonl.zst", "6.jsonl"]);
}
