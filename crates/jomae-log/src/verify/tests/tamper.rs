//! Each way to tamper with a log is found, and found where it was done.

use proptest::prelude::*;

use super::*;

#[test]
fn a_changed_event_is_found() {
    let log = Log::new();
    log.edit(300, |lines| lines[17] = lines[17].replace("Encrypt", "Decrypt"));
    let report = log.verify();
    assert_eq!(report.findings.len(), 1, "{report}");
    let finding = &report.findings[0];
    assert_eq!((finding.kind, finding.line, finding.index), (FindingKind::Changed, Some(18), Some(317)));
    let line = "changed: 00000000000000000300.jsonl, line 18, event 317: other bytes than those that were logged";
    assert_eq!(finding.to_string(), line);
    assert!(report.to_string().ends_with(&format!("{line}\nTHE LOG IS NOT INTACT\n")));
}

#[test]
fn events_that_follow_each_other_are_one_finding() {
    let log = Log::new();
    log.edit(300, |lines| lines[20..290].iter_mut().for_each(|line| line.push(' ')));
    assert_eq!(log.findings(), [(FindingKind::Changed, name(300), Some(320), 270)]);
}

#[test]
fn removed_events_are_found() {
    for (place, count) in [(0, 1), (5, 1), (5, 40), (298, 2), (0, 300)] {
        let log = Log::new();
        log.edit(300, |lines| drop(lines.drain(place..place + count)));
        assert_eq!(log.findings(), [(FindingKind::Removed, name(300), Some(300 + place as u64), count as u64)]);
    }
    let log = Log::new();
    fs::remove_file(log.segment(300)).unwrap();
    assert_eq!(log.findings(), [(FindingKind::Removed, name(0), Some(300), 300)]);
}

#[test]
fn inserted_events_are_found() {
    for (first, place, inserted) in
        [(300, 7, event(9999)), (0, 0, event(9999)), (0, 300, event(9999)), (300, 7, event(300)), (300, 7, event(310))]
    {
        let log = Log::new();
        log.edit(first, |lines| lines.insert(place, inserted));
        assert_eq!(
            log.findings(),
            [(FindingKind::Inserted, name(first), Some(first + place as u64), 1)],
            "{first} {place}"
        );
    }
}

#[test]
fn reordered_events_are_found() {
    let log = Log::new();
    log.edit(300, |lines| lines.swap(10, 11));
    assert_eq!(log.findings(), [(FindingKind::Reordered, name(300), Some(310), 2)]);
    log.edit(300, |lines| lines.swap(10, 11));
    log.edit(300, |lines| lines[20..220].rotate_left(1));
    assert_eq!(log.findings(), [(FindingKind::Reordered, name(300), Some(320), 200)]);
    log.edit(300, |lines| lines[20..220].rotate_right(1));
    assert!(log.findings().is_empty());
}

#[test]
fn several_changes_are_all_found() {
    let log = Log::new();
    log.edit(0, |lines| {
        lines[3].push('x');
        lines.swap(20, 21);
        lines.remove(30);
        lines.insert(40, event(5000));
    });
    log.edit(600, |lines| lines[50] = event(2));
    let kinds: Vec<_> = log.findings().into_iter().map(|(kind, _, index, _)| (kind, index.unwrap())).collect();
    assert_eq!(
        kinds,
        [
            (FindingKind::Changed, 3),
            (FindingKind::Reordered, 20),
            (FindingKind::Removed, 30),
            (FindingKind::Inserted, 41),
            (FindingKind::Changed, 650)
        ]
    );
}

#[test]
fn a_cut_tail_is_found() {
    // The events alone.
    let log = Log::new();
    log.edit(600, |lines| lines.truncate(80));
    assert_eq!(log.findings(), [(FindingKind::Cut, name(600), Some(680), 20)]);
    // The hashes too: then a checkpoint tells.
    log.write_tree(&events()[..680]);
    assert_eq!(log.findings(), [(FindingKind::Cut, name(600), Some(680), 10)]);
    assert_eq!(log.verify().events, 680);
    // The checkpoints of them too: then only one that was kept elsewhere.
    log.write_checkpoints(&events(), &CHECKPOINTS[..5]);
    assert!(log.findings().is_empty());
    let report = verify(log.dir.path(), log.key(), &[log.note(&events(), 690)]).unwrap();
    let kinds: Vec<_> = report.findings.iter().map(|found| (found.kind, found.index, found.count)).collect();
    assert_eq!(kinds, [(FindingKind::Checkpoint, None, 0), (FindingKind::Cut, Some(680), 10)]);

    let log = Log::new();
    fs::remove_file(log.segment(600)).unwrap();
    assert_eq!(log.findings(), [(FindingKind::Cut, name(300), Some(600), 100)]);
    FIRSTS[..2].iter().for_each(|first| fs::remove_file(log.segment(*first)).unwrap());
    assert_eq!(log.findings(), [(FindingKind::Cut, "*.jsonl".into(), Some(0), 700)]);
}

#[test]
fn events_rewritten_with_their_tree_do_not_fit_the_checkpoints() {
    let log = Log::new();
    let mut other = events();
    other[400] = event(9999);
    log.write_segments(&other);
    log.write_tree(&other);
    assert_eq!(log.findings(), [(FindingKind::Rewritten, "checkpoints".into(), Some(300), 300)]);
    // Nor with new checkpoints, unless whoever did it has the key; then against a checkpoint kept elsewhere.
    log.write_checkpoints(&other, &CHECKPOINTS);
    assert!(log.findings().is_empty());
    let report = verify(log.dir.path(), log.key(), &[log.note(&events(), 600)]).unwrap();
    assert_eq!(report.findings.len(), 1, "{report}");
    let found = &report.findings[0];
    assert_eq!((found.kind, found.file.as_str()), (FindingKind::Checkpoint, "given checkpoint 1"));
    let report = verify(log.dir.path(), log.key(), &[log.note(&events(), 300)]).unwrap();
    assert!(report.is_intact(), "{report}");
}

#[test]
fn a_damaged_tree_is_told_from_damaged_events() {
    let log = Log::new();
    log.flip("tree/0", 333 * 32 + 5, 2);
    assert_eq!(log.findings(), [(FindingKind::Tree, "tree/0".into(), Some(333), 1)]);
    // An event as well: the upper files tell which is which.
    log.edit(0, |lines| lines[7].push(' '));
    let found = log.findings();
    assert!(found.contains(&(FindingKind::Tree, "tree/0".into(), Some(333), 1)), "{found:?}");
    assert!(found.contains(&(FindingKind::Changed, name(0), Some(7), 1)), "{found:?}");

    let log = Log::new();
    log.flip("tree/8", 40, 0);
    assert_eq!(log.findings(), [(FindingKind::Tree, "tree/8".into(), Some(256), 256)]);
    fs::remove_file(log.path("tree/8")).unwrap();
    assert_eq!(log.findings(), [(FindingKind::Tree, "tree/8".into(), None, 0)]);
    fs::write(log.path("tree/8"), [0; 96]).unwrap();
    assert!(log.findings().contains(&(FindingKind::Tree, "tree/8".into(), None, 0)));

    // Without any tree, the events alone still fit what was signed, or not.
    let log = Log::new();
    fs::remove_dir_all(log.path("tree")).unwrap();
    assert!(log.findings().iter().all(|(kind, ..)| *kind == FindingKind::Tree));
    log.edit(300, |lines| lines[17].push(' '));
    assert!(log.findings().contains(&(FindingKind::Rewritten, "checkpoints".into(), Some(300), 300)));
}

#[test]
fn forged_and_damaged_checkpoints_are_found() {
    let log = Log::new();
    let genuine = fs::read_to_string(log.path("checkpoints")).unwrap();
    let lines = genuine.lines().count() as u64;
    let forged = Log::checkpoint(&events(), 700).sign(&signer()).unwrap() + "\n";
    let other_origin = Signer::new("other", PrivateKey::generate(AsymSpec::Ed25519).unwrap()).unwrap();
    let other_origin = Checkpoint { origin: "other".into(), ..Log::checkpoint(&events(), 700) }.sign(&other_origin);
    for wrong in [forged, other_origin.unwrap() + "\n", "nonsense\n\n\u{2014} a b\n\n".into()] {
        fs::write(log.path("checkpoints"), genuine.clone() + &wrong).unwrap();
        let report = log.verify();
        assert_eq!(report.findings.len(), 1, "{report}");
        let found = &report.findings[0];
        assert_eq!((found.kind, found.line), (FindingKind::Checkpoint, Some(lines + 1)));
        assert_eq!(report.covered, 690);
    }
    // A note whose empty line was lost does not hide those that follow.
    let (start, rest) = genuine.split_once("\n\n").unwrap();
    fs::write(log.path("checkpoints"), format!("{start}\n{rest}")).unwrap();
    let report = log.verify();
    assert_eq!((report.checkpoints, report.findings.len()), (5, 1), "{report}");

    // Signed, but smaller than the one before it.
    fs::write(log.path("checkpoints"), genuine.clone() + &log.note(&events(), 5) + "\n").unwrap();
    assert_eq!(log.findings(), [(FindingKind::Checkpoint, "checkpoints".into(), None, 0)]);
    // Signed, with another root: the key was used for two logs.
    let mut other = events();
    other[400] = event(9999);
    log.write_checkpoints(&other, &[650]);
    let contradicting = fs::read_to_string(log.path("checkpoints")).unwrap();
    fs::write(log.path("checkpoints"), contradicting + &log.note(&events(), 690) + "\n").unwrap();
    let report = log.verify();
    assert_eq!(report.findings.len(), 1, "{report}");
    assert!(report.findings[0].detail.contains("contradicts"), "{report}");
}

#[test]
fn missing_checkpoints_are_found() {
    let log = Log::new();
    log.write_checkpoints(&events(), &CHECKPOINTS[..5]);
    let report = log.verify();
    assert_eq!((report.is_intact(), report.covered, report.uncovered()), (true, 600, 100));
    let report = verify(log.dir.path(), log.key(), &[log.note(&events(), 690)]).unwrap();
    assert_eq!(report.findings.len(), 1, "{report}");
    assert_eq!((report.findings[0].kind, report.covered), (FindingKind::Checkpoint, 690));
    fs::remove_file(log.path("checkpoints")).unwrap();
    assert_eq!(log.findings(), [(FindingKind::Checkpoint, "checkpoints".into(), None, 0)]);
    // Events that wait for hours.
    let log = Log::new();
    log.edit(600, |lines| lines[99] = lines[99].replace("2027-01-15T08:", "2027-01-15T11:"));
    let tree: Vec<String> = events()[..699].to_vec();
    log.write_tree(&tree);
    assert_eq!(log.findings(), [(FindingKind::Checkpoint, "checkpoints".into(), Some(690), 10)]);
}

/// The log is whole, but the store whose changes it records was put back, or a later checkpoint is kept elsewhere.
#[test]
fn a_store_that_went_back_is_found() {
    let log = Log::new();
    let note = |size, changes| {
        let state = Some(StoreState { changes, digest: [0; 32] });
        Checkpoint { state, ..Log::checkpoint(&events(), size) }.sign(&log.signer).unwrap() + "\n"
    };
    let of_log = |notes: &[(u64, u64)]| {
        let text: String = notes.iter().map(|(size, changes)| note(*size, *changes)).collect();
        fs::write(log.path("checkpoints"), text).unwrap();
    };
    // By itself, without the empty line that parts it from the next one in the file.
    let given = |size, changes| note(size, changes).strip_suffix('\n').unwrap().to_owned();
    of_log(&[(0, 3), (300, 3), (600, 8), (690, 9)]);
    assert_eq!(log.findings(), []);
    let report = verify(log.dir.path(), log.key(), &[given(600, 8)]).unwrap();
    assert!(report.is_intact(), "{report}");
    let report = verify(log.dir.path(), log.key(), &[given(600, 10)]).unwrap();
    assert!(
        report.findings.iter().any(|found| found.detail.contains("had 9 changes, and an earlier one 10")),
        "{report}"
    );
    of_log(&[(0, 3), (300, 8), (600, 5), (690, 9)]);
    assert_eq!(log.findings(), [(FindingKind::Checkpoint, "checkpoints".into(), None, 0)]);
    let said = log.verify().findings[0].to_string();
    assert!(said.contains("the store had 5 changes, and an earlier one 8: the store went back"), "{said}");
}

#[test]
fn another_key_proves_nothing() {
    let log = Log::new();
    let report = verify(log.dir.path(), signer().verifier(), &[]).unwrap();
    assert_eq!((report.checkpoints, report.covered, report.newest), (0, 0, None));
    let kinds: Vec<(FindingKind, &str)> =
        report.findings.iter().map(|found| (found.kind, found.file.as_str())).collect();
    assert_eq!(kinds.iter().filter(|(kind, _)| *kind == FindingKind::Checkpoint).count(), CHECKPOINTS.len() + 1);
    assert!(kinds.contains(&(FindingKind::File, "key.pub")));
}

#[test]
fn files_that_do_not_belong_there_are_found() {
    let log = Log::new();
    for name in ["1.jsonl", "00000001.jsonl", "99999999999999999999.jsonl", "+0000000000000000001.jsonl"] {
        fs::write(log.path(name), "{}\n").unwrap();
        assert_eq!(log.findings(), [(FindingKind::File, name.to_owned(), None, 0)]);
        fs::remove_file(log.path(name)).unwrap();
    }
    // One between the others, and one far behind them.
    for first in [150, u64::MAX] {
        fs::write(log.segment(first), event(3) + "\n").unwrap();
        assert!(!log.findings().is_empty());
        fs::remove_file(log.segment(first)).unwrap();
    }
    fs::write(log.path("key.pub"), "nonsense").unwrap();
    assert_eq!(log.findings(), [(FindingKind::File, "key.pub".into(), None, 0)]);
}

#[test]
fn a_long_line_is_a_changed_event() {
    let log = Log::new();
    log.edit(300, |lines| lines[17] = "x".repeat(3 * 1024 * 1024));
    assert_eq!(log.findings(), [(FindingKind::Changed, name(300), Some(317), 1)]);
    fs::write(log.segment(600), "x".repeat(3 * 1024 * 1024)).unwrap();
    assert!(log.findings().contains(&(FindingKind::Cut, name(600), Some(600), 100)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_is_found_at_its_event(place: prop::sample::Index, bit in 0_u8..8, file in 0_usize..3) {
        let log = Log::new();
        let first = FIRSTS[file];
        let content = fs::read(log.segment(first)).unwrap();
        let byte = place.index(content.len());
        log.flip(&name(first), byte, bit);
        let number = first + memchr::memchr_iter(b'\n', &content[..byte]).count() as u64;
        let found = log.findings();
        prop_assert!(!found.is_empty());
        // A newline less takes the next event with it; another time makes all that no checkpoint covers yet look late.
        let is_near = |kind: FindingKind, index: u64| {
            (number..=number + 2).contains(&index) || kind == FindingKind::Checkpoint && index <= number
        };
        let near = found.iter().all(|(kind, _, index, _)| index.is_none_or(|index| is_near(*kind, index)));
        prop_assert!(near, "{number}: {:?}", found);
    }

    #[test]
    fn a_flipped_bit_in_the_tree_is_no_fault_of_the_events(place: prop::sample::Index, bit in 0_u8..8) {
        let log = Log::new();
        let byte = place.index(690 * 32);
        log.flip("tree/0", byte, bit);
        prop_assert_eq!(log.findings(), [(FindingKind::Tree, "tree/0".to_owned(), Some(byte as u64 / 32), 1)]);
    }

    #[test]
    fn a_flipped_bit_in_a_checkpoint_is_found(place: prop::sample::Index, bit in 0_u8..8) {
        let log = Log::new();
        let length = fs::read(log.path("checkpoints")).unwrap().len();
        // The last empty line is what says that the last note is whole.
        let byte = place.index(length - 2);
        log.flip("checkpoints", byte, bit);
        let found = log.findings();
        prop_assert!(found.iter().all(|(kind, ..)| *kind == FindingKind::Checkpoint) && !found.is_empty(), "{:?}", found);
    }

    #[test]
    fn no_content_is_trouble(
        files in proptest::collection::vec((0_usize..6, "[\\x00-\\x7f\u{2014}\\n]{0,300}"), 0..4)
    ) {
        let log = Log::new();
        let names = ["checkpoints", "tree/0", "tree/8", &name(0), &name(600), "key.pub"];
        for (file, text) in files {
            fs::write(log.path(names[file]), text).unwrap();
        }
        let report = log.verify();
        prop_assert!(report.findings.len() <= FINDINGS_MAX);
    }
}
