//! The forms of a segment: with room behind its lines, and compressed.

use std::fs;

use crate::{
    copy, layout,
    log::{
        Settings,
        tests::{Site, append, line, lines, lines_of},
    },
    verify::{self, verify},
};

#[test]
fn room_in_the_newest_file_is_no_damage_and_zeros_elsewhere_are() {
    let site = Site::new();
    let log = site.open_with(|settings| {
        settings.strict = true;
        settings.segment_bytes_max = 1000;
    });
    append(&log, 0, 30);
    let live = verify(&site.dir(), &site.key(), &[]).unwrap();
    assert!(live.is_intact() && live.torn_bytes == 0 && live.events == 30, "{live}");
    drop(log);
    let segments = layout::segments(&site.dir()).unwrap();
    for segment in &segments {
        assert!(!fs::read(&segment.path).unwrap().contains(&0), "a stop and a new file give it back");
    }
    let with = |segment: &layout::Segment, change: &dyn Fn(&mut Vec<u8>)| {
        let before = fs::read(&segment.path).unwrap();
        let mut content = before.clone();
        change(&mut content);
        fs::write(&segment.path, content).unwrap();
        let report = verify(&site.dir(), &site.key(), &[]).unwrap();
        fs::write(&segment.path, before).unwrap();
        report
    };
    let (first, last) = (segments.first().unwrap(), segments.last().unwrap());
    let room = |content: &mut Vec<u8>| content.extend([0; 5000]);
    assert!(with(last, &room).is_intact());
    assert!(!with(first, &room).is_intact());
    let middle = |content: &mut Vec<u8>| content[10..20].fill(0);
    assert!(!with(last, &middle).is_intact());
    assert!(!with(first, &middle).is_intact());
    let behind = |content: &mut Vec<u8>| {
        content.extend([0; 5000]);
        content.extend(b"x");
    };
    assert_eq!(with(last, &behind).torn_bytes, 5001);
    site.assert_intact(30);
}

#[test]
fn compressed_segments_serve_as_the_others_do() {
    let site = Site::new();
    let small = |settings: &mut Settings| settings.segment_bytes_max = 2000;
    let log = site.open_with(small);
    let before = verify::Filter::default();
    append(&log, 0, 1);
    for n in 1..400 {
        append(&log, n, n + 1);
    }
    let export = |site: &Site| {
        let mut excerpt = Vec::new();
        assert_eq!(verify::export(&site.dir(), &site.key(), &before, &mut excerpt).unwrap().events, 400);
        excerpt
    };
    log.close();
    let plain = export(&site);
    let log = site.open_with(small);
    log.keep_compressed().unwrap();
    site.wait_until_compressed();
    assert!(site.segments().len() > 10);
    for n in [0, 7, 133, 399] {
        assert_eq!(log.event(n).unwrap(), Some(line(n)));
        let proof = verify::prove(&site.dir(), &site.key(), verify::EventRef::Index(n)).unwrap();
        assert_eq!(proof.event.as_bytes(), line(n));
        proof.verify(&site.key()).unwrap();
    }
    assert_eq!(log.find(&["id-200", "id-390"]).unwrap().len(), 2);
    drop(log);
    assert_eq!((export(&site), lines_of(&site.dir())), (plain, lines(0, 400)));
    site.assert_intact(400);
    // A copy of it, and a log whose tree is lost, go on.
    let copied = site.another();
    copy(&site.dir(), &copied.dir()).unwrap();
    fs::remove_dir_all(layout::tree(&copied.dir())).unwrap();
    let log = copied.open_with(small);
    append(&log, 400, 410);
    drop(log);
    assert_eq!(lines_of(&copied.dir()), lines(0, 410));
    copied.assert_intact(410);
    // The newest file had no event, and is gone: the next one is behind the compressed ones.
    let last = layout::segments(&site.dir()).unwrap().pop().unwrap();
    let closed = site.another();
    copy(&site.dir(), &closed.dir()).unwrap();
    fs::remove_file(closed.dir().join(last.name())).unwrap();
    fs::remove_dir_all(layout::tree(&closed.dir())).unwrap();
    fs::remove_file(layout::checkpoints(&closed.dir())).unwrap();
    drop(closed.open());
    assert_eq!(*closed.segments().last().unwrap(), last.first);
}

#[test]
fn a_damaged_frame_is_told_with_its_place() {
    let site = Site::new();
    let log = site.open_with(|settings| settings.segment_bytes_max = 2000);
    log.keep_compressed().unwrap();
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    site.wait_until_compressed();
    drop(log);
    let segment = layout::segments(&site.dir()).unwrap().remove(1);
    let mut content = fs::read(&segment.path).unwrap();
    content[20] ^= 1;
    fs::write(&segment.path, &content).unwrap();
    let report = verify(&site.dir(), &site.key(), &[]).unwrap();
    let text = report.to_string();
    assert!(!report.is_intact() && text.contains(&segment.name()) && text.contains("frame at byte 0"), "{text}");
    assert_eq!(report.events, 100, "the others are checked all the same");
    fs::write(&segment.path, "no frames at all").unwrap();
    let text = verify(&site.dir(), &site.key(), &[]).unwrap().to_string();
    assert!(text.contains(&segment.name()) && text.contains("no table"), "{text}");
}
