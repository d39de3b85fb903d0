use std::fs;

use proptest::prelude::*;

use super::*;
use crate::{layout::tail_mac as path, leaf_hash};

const ORIGIN: &str = "test.example/log";

fn key(byte: u8) -> TailKey {
    TailKey::new(ORIGIN, Arc::new(SecretBytes::new(vec![byte; KEY_BYTES])))
}

fn line(n: u64) -> String {
    format!("{{\"n\":{n}}}")
}

fn leaves(from: u64, to: u64) -> Vec<Hash> {
    (from..to).map(|n| leaf_hash(line(n).as_bytes())).collect()
}

fn lines(from: u64, to: u64) -> String {
    (from..to).map(|n| line(n) + "\n").collect()
}

fn write(tail: &mut Tail, sync: bool) {
    tail.write().unwrap();
    if sync {
        tail.sync_beside(|| Ok(())).unwrap();
    }
}

fn proven(dir: &Path, known: &Frontier, events: u64) -> u64 {
    authenticated(dir, &key(7), known.clone(), events).unwrap()
}

#[test]
fn each_batch_has_its_proof_and_nothing_else_has() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let segment = layout::segment(dir, 0);
    let none = Frontier::default();
    fs::write(&segment, lines(0, 9)).unwrap();
    assert_eq!(proven(dir, &none, 9), 0, "no file, no proof");
    let mut tail = Tail::open(dir, key(7), none.clone()).unwrap();
    write(&mut tail, true);
    assert_eq!(proven(dir, &none, 9), 0, "nothing was added");
    tail.add(&leaves(0, 3));
    write(&mut tail, true);
    tail.add(&leaves(3, 5));
    write(&mut tail, false);
    tail.add(&leaves(5, 9));
    assert_eq!(proven(dir, &none, 9), 5, "not written yet");
    write(&mut tail, false);
    assert_eq!(proven(dir, &none, 9), 9);
    // A power cut may take the events of what was not synced, never those of what was.
    for there in 3..9 {
        assert_eq!(proven(dir, &none, there), 3, "{there}");
    }
    let mut known = Frontier::default();
    for leaf in leaves(0, 4) {
        known.push(leaf);
    }
    assert_eq!(proven(dir, &known, 9), 9);
    assert_eq!(proven(dir, &known, 8), 4);
    assert_eq!(authenticated(dir, &key(8), none.clone(), 9).unwrap(), 0, "the key of another run");
    let other = TailKey::new("other.example/log", Arc::new(SecretBytes::new(vec![7; KEY_BYTES])));
    assert_eq!(authenticated(dir, &other, none.clone(), 9).unwrap(), 0, "another log");

    // Changed, dropped, inserted, in another order.
    let own = lines(0, 9);
    for (from, to) in [
        ("{\"n\":4}", "{\"n\":5}"),
        ("{\"n\":4}\n", ""),
        ("{\"n\":4}\n", "{}\n{\"n\":4}\n"),
        ("{\"n\":4}\n{\"n\":5}", "{\"n\":5}\n{\"n\":4}"),
    ] {
        assert!(own.contains(from));
        let text = own.replacen(from, to, 1);
        fs::write(&segment, &text).unwrap();
        assert_eq!(proven(dir, &none, text.matches('\n').count() as u64), 3, "{from:?}");
    }
    // A size that is claimed for another MAC.
    fs::write(&segment, own).unwrap();
    let mut content = fs::read(path(dir)).unwrap();
    for mac in parse(&content.clone()).map(|mac| TailMac { size: 8, ..mac }) {
        content[..MAC_BYTES].copy_from_slice(&mac.to_bytes());
        fs::write(path(dir), &content).unwrap();
        assert_ne!(proven(dir, &none, 9), 8);
    }
}

#[test]
fn the_mac_that_answers_rely_on_is_never_written_over() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(layout::segment(dir, 0), lines(0, 40)).unwrap();
    let mut tail = Tail::open(dir, key(7), Frontier::default()).unwrap();
    let mut synced = 0;
    for n in 0..40 {
        tail.add(&leaves(n, n + 1));
        let sync = n % 3 == 0;
        let before = fs::read(path(dir)).unwrap();
        write(&mut tail, sync);
        // Whatever of this write a power cut destroys.
        let after = fs::read(path(dir)).unwrap();
        let torn: Vec<u8> = before.iter().zip(&after).map(|(a, b)| if a == b { *a } else { 0 }).collect();
        fs::write(path(dir), torn).unwrap();
        assert!(proven(dir, &Frontier::default(), 40) >= synced, "{n}");
        fs::write(path(dir), after).unwrap();
        if sync {
            synced = n + 1;
        }
        assert_eq!(proven(dir, &Frontier::default(), n + 1), n + 1);
    }
}

#[test]
fn a_mac_counts_as_synced_only_with_its_events() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(layout::segment(dir, 0), lines(0, 3)).unwrap();
    let mut tail = Tail::open(dir, key(7), Frontier::default()).unwrap();
    tail.add(&leaves(0, 1));
    write(&mut tail, true);
    tail.add(&leaves(1, 2));
    tail.write().unwrap();
    tail.sync_beside(|| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
    tail.add(&leaves(2, 3));
    tail.write().unwrap();
    assert_eq!(proven(dir, &Frontier::default(), 2), 1, "that of one event is still there");
    tail.sync_beside(|| Ok(())).unwrap();
    assert_eq!(proven(dir, &Frontier::default(), 3), 3);
}

#[test]
fn a_file_of_the_wrong_length_is_bounded() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(path(temp.path()), vec![0; FILE_BYTES + 1]).unwrap();
    assert!(authenticated(temp.path(), &key(7), Frontier::default(), 0).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_two_macs_at_most(content in prop::collection::vec(any::<u8>(), 0..10_000)) {
        prop_assert!(parse(&content).count() <= SLOTS);
    }

    #[test]
    fn a_mac_is_read_as_it_was_written(size: u64, tag: [u8; 32], behind in prop::collection::vec(any::<u8>(), 0..50)) {
        let mac = TailMac { size, tag };
        let content = [&mac.to_bytes()[..], &behind].concat();
        prop_assert_eq!(parse(&content).collect::<Vec<_>>(), [mac]);
        prop_assert_eq!(parse(&content[..MAC_BYTES - 1]).count(), 0);
    }
}
