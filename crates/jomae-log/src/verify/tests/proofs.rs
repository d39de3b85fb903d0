//! What is handed out verifies elsewhere, and nothing else does.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::EventProof;

fn message<T>(result: Result<T, VerifyError>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn every_covered_event_can_be_proven() {
    let log = Log::new();
    for index in 0..690 {
        let proof = prove(log.dir.path(), log.key(), EventRef::Index(index)).unwrap();
        assert_eq!((proof.index, &proof.event), (index, &event(index)));
        assert_eq!(proof.verify(log.key()), Ok(Log::checkpoint(&events(), 690)));
    }
    let by_id = prove(log.dir.path(), log.key(), EventRef::parse("id-456")).unwrap();
    assert_eq!(by_id, prove(log.dir.path(), log.key(), EventRef::parse("456")).unwrap());
    assert_eq!(EventProof::parse(&by_id.to_json()).unwrap().verify(log.key()).unwrap().size, 690);

    let refusal = |event| message(prove(log.dir.path(), log.key(), event));
    assert!(refusal(EventRef::Index(690)).contains("not covered"));
    assert!(refusal(EventRef::Index(700)).contains("no such event"));
    assert!(refusal(EventRef::Id("id-4567")).contains("no such event"));
    assert!(message(prove(log.dir.path(), signer().verifier(), EventRef::Index(5))).contains("no checkpoint"));
    fs::remove_file(log.segment(300)).unwrap();
    assert!(refusal(EventRef::Index(456)).contains("no such event"));
    log.edit(0, |lines| lines[5].push(' '));
    assert!(refusal(EventRef::Index(5)).contains("damaged"));
}

#[test]
fn proofs_do_not_need_the_upper_files() {
    let log = Log::new();
    let before = prove(log.dir.path(), log.key(), EventRef::Index(456)).unwrap();
    for level in [8, 16, 24] {
        fs::remove_file(log.path(&format!("tree/{level}"))).unwrap();
    }
    assert_eq!(prove(log.dir.path(), log.key(), EventRef::Index(456)).unwrap(), before);
    fs::remove_file(log.path("tree/0")).unwrap();
    assert!(message(prove(log.dir.path(), log.key(), EventRef::Index(456))).contains("tree/0"));
}

#[test]
fn a_log_is_consistent_with_each_of_its_checkpoints() {
    let log = Log::new();
    for size in CHECKPOINTS {
        let old = log.note(&events(), size);
        let proof = consistency(log.dir.path(), log.key(), &old).unwrap();
        let read = ConsistencyProof::parse(&proof.to_json()).unwrap();
        assert_eq!(read, proof);
        let (old, new) = read.verify(log.key()).unwrap();
        assert_eq!((old.size, new.size), (size, 690));
        assert!(read.verify(signer().verifier()).is_err());
    }
    let newer = log.note(&events(), 695);
    assert!(message(consistency(log.dir.path(), log.key(), &newer)).contains("only 690"));
    let mut other = events();
    other[3] = event(9999);
    let forked = log.note(&other, 300);
    assert!(message(consistency(log.dir.path(), log.key(), &forked)).contains("not of a log that begins"));
    let foreign = Log::checkpoint(&events(), 300).sign(&signer()).unwrap();
    assert!(matches!(consistency(log.dir.path(), log.key(), &foreign), Err(VerifyError::Tlog(_))));
    assert!(ConsistencyProof::parse("{}").is_err());
}

#[test]
fn receipts_are_kept_or_not() {
    let log = Log::new();
    let check = |index| check_receipt(log.dir.path(), log.key(), &log.receipt(index));
    let ReceiptCheck::Proven(receipt, checkpoint) = check(321).unwrap() else { panic!() };
    assert_eq!((receipt.index, checkpoint.size), (321, 690));
    assert!(matches!(check(695), Ok(ReceiptCheck::NotYetCovered(_))));
    assert!(message(check(700)).contains("has no event 700"));
    fs::remove_file(log.segment(0)).unwrap();
    assert!(matches!(check(5), Ok(ReceiptCheck::Proven(..))));

    let proof = prove(log.dir.path(), log.key(), EventRef::Index(321)).unwrap();
    let by_proof = |index| check_receipt_by_proof(&proof, log.key(), &log.receipt(index));
    assert_eq!(by_proof(321).unwrap(), ReceiptCheck::Proven(receipt, checkpoint));
    assert!(message(by_proof(322)).contains("of event 322"));
    let other = Log::new();
    assert!(check_receipt(other.dir.path(), other.key(), &log.receipt(321)).is_err());

    // The log was rewritten after the receipt was given, by someone with the key.
    let mut rewritten = events();
    rewritten[321] = event(9999);
    log.write_tree(&rewritten);
    assert!(message(check(321)).contains("damaged") || message(check(321)).contains("another one"));
    log.write_segments(&rewritten);
    log.write_checkpoints(&rewritten, &CHECKPOINTS);
    assert!(message(check(321)).contains("another one"));
    let proof = prove(log.dir.path(), log.key(), EventRef::Index(321)).unwrap();
    assert!(message(check_receipt_by_proof(&proof, log.key(), &log.receipt(321))).contains("another one"));
}

fn exported(log: &Log, filter: &Filter) -> (ExportReport, Vec<u8>) {
    let mut excerpt = Vec::new();
    let report = export(log.dir.path(), log.key(), filter, &mut excerpt).unwrap();
    assert_eq!(verify_export(&mut Cursor::new(&excerpt), log.key()).unwrap(), report);
    (report, excerpt)
}

#[test]
fn an_excerpt_has_what_was_asked_for_and_verifies() {
    let log = Log::new();
    let (all, excerpt) = exported(&log, &Filter::default());
    assert_eq!((all.events, all.range, all.left_out), (690, Some((0, 689)), 0));
    // Each line is JSON, with the event in it.
    for (number, line) in excerpt.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()).enumerate() {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!((&line["index"], &line["event"]["eventId"]), (&number.into(), &format!("id-{number}").into()));
    }
    let time = |number| Some(Timestamp(BEGIN + number));
    let (some, _) = exported(&log, &Filter { from: time(100), to: time(450), ..Filter::default() });
    assert_eq!((some.events, some.range, some.left_out), (351, Some((100, 450)), 0));
    let one_account = Filter { account: Some(ACCOUNTS[1].into()), from: time(100), to: time(450) };
    let (third, _) = exported(&log, &one_account);
    assert_eq!((third.events, third.range, third.left_out), (117, Some((102, 450)), 232));
    let (none, _) = exported(&log, &Filter { account: Some("0".into()), ..Filter::default() });
    assert_eq!((none.events, none.range), (0, None));

    log.edit(300, |lines| lines[17] = lines[17].replace("Encrypt", "Decrypt"));
    let damaged = export(log.dir.path(), log.key(), &Filter::default(), &mut Vec::new());
    assert!(message(damaged).contains("event 317"));
}

#[test]
fn events_of_the_owner_of_a_key_are_in_its_excerpt() {
    let log = Log::new();
    let mut with_owner = events();
    with_owner[4] = with_owner[4].replace("{\"eventId\"", "{\"resourceOwnerId\":\"77\",\"eventId\"");
    with_owner[9] = with_owner[9].replace("{\"eventId\"", "{\"recipientAccountId\":\"77\",\"eventId\"");
    log.write_segments(&with_owner);
    log.write_tree(&with_owner);
    log.write_checkpoints(&with_owner, &CHECKPOINTS);
    let (report, _) = exported(&log, &Filter { account: Some("77".into()), ..Filter::default() });
    assert_eq!((report.events, report.range), (2, Some((4, 9))));
}

#[test]
fn a_changed_excerpt_does_not_verify() {
    let log = Log::new();
    let (_, excerpt) = exported(&log, &Filter { account: Some(ACCOUNTS[1].into()), ..Filter::default() });
    let text = String::from_utf8(excerpt).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let check = |lines: &[&str]| {
        let text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
        message(verify_export(&mut Cursor::new(text), log.key()))
    };
    assert!(check(&[lines[0], lines[2], lines[1]]).contains("out of order"));
    assert!(check(&[lines[0], lines[1], lines[1]]).contains("out of order"));
    assert!(check(&[lines[0], &lines[1].replace("Encrypt", "Decrypt")]).contains("is not in the log"));
    assert!(check(&[lines[0], &lines[1].replace("\"index\":0", "\"index\":3")]).contains("is not in the log"));
    assert!(check(&[&lines[0].replace(ACCOUNTS[1], ACCOUNTS[0]), lines[1]]).contains("not what was asked"));
    assert!(check(&[lines[0], "{}"]).contains("line 2"));
    assert!(check(&lines[1..]).contains("not an excerpt"));
    let cut = verify_export(&mut Cursor::new(&text[..text.len() - 1]), log.key());
    assert!(message(cut).contains("cut off"));
    let other = verify_export(&mut Cursor::new(&text), signer().verifier());
    assert!(matches!(other, Err(VerifyError::Tlog(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_never_changes_what_an_excerpt_proves(place: prop::sample::Index, change in 1_u8..) {
        let log = Log::new();
        let time = |number| Some(Timestamp(BEGIN + number));
        let (before, mut excerpt) = exported(&log, &Filter { from: time(100), to: time(103), ..Filter::default() });
        let at = place.index(excerpt.len());
        excerpt[at] ^= change;
        if let Ok(after) = verify_export(&mut Cursor::new(&excerpt), log.key()) {
            // What was asked for is not signed.
            prop_assert_eq!(ExportReport { filter: before.filter.clone(), ..after }, before);
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "[\\x00-\\x7f\u{2014}\\n]{0,300}") {
        let key = signer().verifier().clone();
        prop_assert!(verify_export(&mut Cursor::new(&text), &key).is_err());
        prop_assert!(ConsistencyProof::parse(&text).is_err());
        let _ = EventRef::parse(&text);
    }
}
