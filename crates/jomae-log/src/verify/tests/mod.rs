//! A small log, written as the service writes it, and what is done to it.

use std::{fs, path::PathBuf};

use jomae_crypto::asym::{AsymSpec, PrivateKey};
use tempfile::TempDir;

use super::*;
use crate::{Checkpoint, Receipt, Signer, StoreState, leaf_hash};

mod proofs;
mod tamper;

const ORIGIN: &str = "jomae-test";
const ACCOUNTS: [&str; 2] = ["1111222233334444", "5555666677778888"];
/// Time of the first event; one comes each second.
const BEGIN: i64 = 1_800_000_000;
/// Events 0 to 299, 300 to 599, 600 to 699.
const FIRSTS: [u64; 3] = [0, 300, 600];
const EVENTS: u64 = 700;
const CHECKPOINTS: [u64; 6] = [0, 1, 250, 300, 600, 690];

struct Log {
    dir: TempDir,
    signer: Signer,
}

fn signer() -> Signer {
    Signer::new(ORIGIN, PrivateKey::generate(AsymSpec::Ed25519).unwrap()).unwrap()
}

fn event(number: u64) -> String {
    let account = ACCOUNTS[usize::from(number.is_multiple_of(3))];
    let time = Timestamp(BEGIN + i64::try_from(number).unwrap());
    format!(
        "{{\"eventId\":\"id-{number}\",\"eventName\":\"Encrypt\",\"eventTime\":\"{time}\",\
         \"userIdentity\":{{\"accountId\":\"{account}\"}}}}"
    )
}

fn events() -> Vec<String> {
    (0..EVENTS).map(event).collect()
}

impl Log {
    fn new() -> Self {
        let log = Self { dir: tempfile::tempdir().unwrap(), signer: signer() };
        log.write_segments(&events());
        log.write_tree(&events());
        log.write_checkpoints(&events(), &CHECKPOINTS);
        fs::write(log.path("key.pub"), format!("{}\n", log.key())).unwrap();
        log
    }

    fn key(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn segment(&self, first: u64) -> PathBuf {
        self.path(&format!("{first:020}.jsonl"))
    }

    fn write_segments(&self, events: &[String]) {
        for (at, first) in FIRSTS.iter().enumerate() {
            let lines = events.iter().skip(usize::try_from(*first).unwrap());
            let end = FIRSTS.get(at + 1).map_or(usize::MAX, |next| usize::try_from(next - first).unwrap());
            let text: String = lines.take(end).flat_map(|line| [line, "\n"]).collect();
            fs::write(self.segment(*first), text).unwrap();
        }
    }

    fn write_tree(&self, events: &[String]) {
        let (mut frontier, mut files) = (Frontier::default(), [const { Vec::new() }; 4]);
        for line in events {
            frontier.push_with(leaf_hash(line.as_bytes()), |level, _, hash| {
                if level % 8 == 0 {
                    files[usize::from(level / 8)].extend_from_slice(hash);
                }
            });
        }
        fs::create_dir_all(self.path("tree")).unwrap();
        for (at, file) in files.iter().enumerate() {
            fs::write(self.path(&format!("tree/{}", at * 8)), file).unwrap();
        }
    }

    fn checkpoint(events: &[String], size: u64) -> Checkpoint {
        let mut frontier = Frontier::default();
        for line in events.iter().take(usize::try_from(size).unwrap()) {
            frontier.push(leaf_hash(line.as_bytes()));
        }
        let time = Timestamp(BEGIN + i64::try_from(size).unwrap());
        Checkpoint { origin: ORIGIN.into(), size, root: frontier.root(), time, state: None }
    }

    fn note(&self, events: &[String], size: u64) -> String {
        Self::checkpoint(events, size).sign(&self.signer).unwrap()
    }

    fn write_checkpoints(&self, events: &[String], sizes: &[u64]) {
        let text: String = sizes.iter().map(|size| self.note(events, *size) + "\n").collect();
        fs::write(self.path("checkpoints"), text).unwrap();
    }

    fn receipt(&self, index: u64) -> String {
        let leaf = leaf_hash(event(index).as_bytes());
        let (origin, time) = (ORIGIN.into(), Timestamp(BEGIN));
        Receipt { origin, index, leaf, event_id: format!("id-{index}"), time }.sign(&self.signer).unwrap()
    }

    fn verify(&self) -> Report {
        verify(self.dir.path(), self.key(), &[]).unwrap()
    }

    /// What is found, in short: kind, file, first event, how many events.
    fn findings(&self) -> Vec<(FindingKind, String, Option<u64>, u64)> {
        let report = self.verify();
        assert_eq!(report.is_intact(), report.findings.is_empty());
        report.findings.into_iter().map(|found| (found.kind, found.file, found.index, found.count)).collect()
    }

    /// Changes the lines of one segment.
    fn edit(&self, first: u64, change: impl FnOnce(&mut Vec<String>)) {
        let text = fs::read_to_string(self.segment(first)).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(self.segment(first), text).unwrap();
    }

    fn flip(&self, name: &str, byte: usize, bit: u8) {
        let mut content = fs::read(self.path(name)).unwrap();
        content[byte] ^= 1 << bit;
        fs::write(self.path(name), content).unwrap();
    }
}

fn name(first: u64) -> String {
    format!("{first:020}.jsonl")
}

#[test]
fn an_intact_log_is_reported_with_its_numbers() {
    let log = Log::new();
    let report = log.verify();
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.events, report.stored_from, report.covered, report.uncovered()), (700, 0, 690, 10));
    assert_eq!((report.checkpoints, report.torn_bytes, report.torn_checkpoint), (6, 0, false));
    assert_eq!(report.newest, Some(Log::checkpoint(&events(), 690)));
    assert_eq!(report.time_range, Some((Timestamp(BEGIN), Timestamp(BEGIN + 699))));
    let text = report.to_string();
    assert!(text.contains("events: 700\n") && text.ends_with("the log is intact\n"), "{text}");
}

#[test]
fn a_log_without_events_is_intact() {
    let empty = tempfile::tempdir().unwrap();
    let report = verify(empty.path(), signer().verifier(), &[]).unwrap();
    assert_eq!(report, Report::default());
    assert!(verify(&empty.path().join("nothing"), signer().verifier(), &[]).is_err());
}

#[test]
fn what_a_crash_leaves_is_no_finding() {
    let log = Log::new();
    let mut content = fs::read(log.segment(600)).unwrap();
    content.extend_from_slice(b"{\"eventId\":\"id-70");
    fs::write(log.segment(600), content).unwrap();
    // Behind the newest checkpoint, the tree may lack hashes; the file may end within one.
    let tree = fs::read(log.path("tree/0")).unwrap();
    fs::write(log.path("tree/0"), &tree[..695 * 32 + 7]).unwrap();
    let checkpoints = fs::read_to_string(log.path("checkpoints")).unwrap();
    let torn = log.note(&events(), 700);
    for end in [1, 2, 40, torn.len() - 30, torn.len()] {
        fs::write(log.path("checkpoints"), checkpoints.clone() + &torn[..end]).unwrap();
        let report = log.verify();
        assert!(report.is_intact(), "{report}");
        assert_eq!((report.events, report.torn_bytes, report.torn_checkpoint), (700, 17, true));
        assert_eq!(report.covered, 690);
    }
}

#[test]
fn events_that_the_retention_removed_stay_proven() {
    let log = Log::new();
    fs::remove_file(log.segment(0)).unwrap();
    let report = log.verify();
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.events, report.stored_from, report.covered), (700, 300, 690));
    assert_eq!(report.time_range.unwrap().0, Timestamp(BEGIN + 300));
    // Their hashes cannot be changed either.
    log.flip("tree/0", 100 * 32, 3);
    let found = log.findings();
    assert_eq!(
        found,
        [
            (FindingKind::Tree, "tree/8".into(), Some(0), 256),
            (FindingKind::Rewritten, "checkpoints".into(), Some(1), 249)
        ]
    );
    // Without them there is no proof.
    fs::remove_file(log.path("tree/0")).unwrap();
    assert!(log.findings().contains(&(FindingKind::Tree, "tree/0".into(), Some(0), 300)));
}
