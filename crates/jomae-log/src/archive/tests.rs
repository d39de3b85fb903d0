//! Shipping to a directory, and checking what is there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use super::*;
use crate::{
    Log, Settings,
    log::tests::{Site, append, hand, now},
    verify::{ArchivedLog, FindingKind, Report, verify_archived},
};

const EVERY: Duration = Duration::from_millis(5);
const TO: &str = "the archive";

/// A log with segments of some events, and an archive beside it.
struct Shipped {
    site: Site,
    archive: PathBuf,
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_mins(1), "never {what}");
        std::thread::sleep(EVERY);
    }
}

fn small(settings: &mut Settings) {
    settings.segment_bytes_max = 1000;
    settings.archive = Some(TO.to_owned());
}

impl Shipped {
    fn new() -> Self {
        let site = Site::new();
        let archive = site.beside("archive");
        Self { site, archive }
    }

    fn open(&self) -> Log {
        self.open_with(|_| {})
    }

    fn open_with(&self, change: impl FnOnce(&mut Settings)) -> Log {
        self.site.open_with(|settings| {
            small(settings);
            change(settings);
        })
    }

    fn ship(&self, log: &Log) {
        log.keep_archived(Box::new(DirArchive::new(self.archive.clone())), EVERY).unwrap();
    }

    /// Where the objects are.
    fn objects(&self) -> PathBuf {
        self.archive.join(log_name(&self.site.key()))
    }

    fn names(&self) -> Vec<String> {
        names(&self.objects())
    }

    /// The first event that is in no closed segment.
    fn closed(&self) -> u64 {
        *self.site.segments().last().unwrap()
    }

    fn wait(&self, log: &Log) {
        until("archived", || log.counts().archive.archived == Some(self.closed()));
    }

    fn verify(&self) -> Report {
        self.verify_with(&[])
    }

    fn verify_with(&self, given: &[String]) -> Report {
        let scratch = tempfile::tempdir().unwrap();
        let mut archive = DirArchive::new(self.archive.clone());
        let name = log_name(&self.site.key());
        let mut log = ArchivedLog::new(&mut archive, &name);
        verify_archived(&mut log, &self.site.key(), given, scratch.path()).unwrap()
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn found(report: &Report) -> Vec<(FindingKind, u64, u64)> {
    report.findings.iter().map(|found| (found.kind, found.index.unwrap_or(u64::MAX), found.count)).collect()
}

#[test]
fn closed_segments_are_shipped_and_verify_without_the_log() {
    for compressed in [true, false] {
        let shipped = Shipped::new();
        let log = shipped.open();
        if compressed {
            log.keep_compressed().unwrap();
        }
        shipped.ship(&log);
        for n in 0..300 {
            append(&log, n, n + 1);
        }
        shipped.wait(&log);
        let counts = log.counts();
        let closed = shipped.closed();
        let spans = shipped.site.segments().len() as u64 - 1;
        assert!(spans > 3 && closed < 300);
        assert_eq!(counts.archive.objects, 3 * spans + 1);
        assert_eq!((counts.archive.failures, counts.archive.refused), (0, false));
        assert_eq!(shipped.names().len() as u64, 3 * spans + 1);
        drop(log);
        fs::remove_dir_all(shipped.site.dir()).unwrap();
        let report = shipped.verify();
        assert!(report.is_intact(), "{report}");
        assert_eq!((report.events, report.covered, report.stored_from, report.beyond), (closed, closed, 0, None));
    }
}

#[test]
fn what_a_crash_left_is_completed() {
    let shipped = Shipped::new();
    let log = shipped.open();
    shipped.ship(&log);
    append(&log, 0, 200);
    for n in 200..300 {
        append(&log, n, n + 1);
    }
    shipped.wait(&log);
    drop(log);
    let whole = shipped.names();
    let objects = shipped.objects();
    let content = |name: &String| fs::read(objects.join(name)).unwrap();
    let before: Vec<_> = whole.iter().map(content).collect();
    let record = layout::archived(&shipped.site.dir());
    for lost in 0..whole.len() {
        // A crash before the record, with part of an object.
        fs::remove_file(objects.join(&whole[lost])).unwrap();
        fs::write(objects.join(format!("{}.new", whole[lost])), "half").unwrap();
        if lost % 2 == 0 {
            fs::remove_file(&record).unwrap();
        }
        let log = shipped.open();
        shipped.ship(&log);
        until("complete", || objects.join(&whole[lost]).exists() || whole[lost].ends_with("checkpoint"));
        shipped.wait(&log);
        assert_eq!(log.counts().archive.failures, 0);
        drop(log);
        if objects.join(&whole[lost]).exists() {
            assert_eq!(content(&whole[lost]), before[lost], "{}", whole[lost]);
        }
        // A record says that the span was shipped: its checkpoint is not looked for.
        fs::write(objects.join(&whole[lost]), &before[lost]).unwrap();
    }
    assert!(shipped.verify().is_intact());
}

#[test]
fn what_is_not_ours_stops_it_and_is_left_alone() {
    for (ending, forged) in
        [("jsonl.zst", "other"), ("hashes", "other"), ("checkpoint", "other"), ("key.pub", "other\n")]
    {
        let shipped = Shipped::new();
        let log = shipped.open();
        for n in 0..100 {
            append(&log, n, n + 1);
        }
        fs::create_dir(shipped.objects()).unwrap();
        let name = if ending == "key.pub" { ending.to_owned() } else { layout::numbered(0, &format!(".{ending}")) };
        fs::write(shipped.objects().join(&name), forged).unwrap();
        shipped.ship(&log);
        until("refused", || log.counts().archive.refused);
        assert_eq!(log.counts().archive.archived, Some(0));
        assert!(log.counts().archive.failures > 0);
        assert_eq!(fs::read_to_string(shipped.objects().join(&name)).unwrap(), forged);
        append(&log, 100, 101);
        // Put right, it goes on.
        fs::remove_file(shipped.objects().join(&name)).unwrap();
        shipped.wait(&log);
        until("well", || !log.counts().archive.refused);
        drop(log);
        assert!(shipped.verify().is_intact());
    }
}

#[test]
fn the_archive_of_a_log_that_went_on_otherwise_is_refused() {
    let shipped = Shipped::new();
    let log = shipped.open();
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    shipped.ship(&log);
    shipped.wait(&log);
    drop(log);
    // A copy from before, with the same key.
    let restored = Shipped { site: shipped.site.another(), archive: shipped.archive.clone() };
    let log = restored.open();
    append(&log, 0, 20);
    restored.ship(&log);
    until("refused", || log.counts().archive.refused);
    for n in 0..200 {
        hand(&log, format!("{{\"other\":{n}}}"), true).wait().unwrap();
    }
    let failures = log.counts().archive.failures;
    until("tried again", || log.counts().archive.failures > failures + 1);
    assert!(log.counts().archive.refused);
    drop(log);
    assert!(shipped.verify().is_intact());
}

#[test]
fn a_log_that_was_changed_is_not_shipped() {
    let shipped = Shipped::new();
    let log = shipped.open();
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    let first = layout::segment(&shipped.site.dir(), 0);
    let right = fs::read(&first).unwrap();
    let mut wrong = right.clone();
    wrong[5] ^= 1;
    fs::write(&first, wrong).unwrap();
    shipped.ship(&log);
    until("failed", || log.counts().archive.failures > 0);
    assert_eq!(shipped.names(), ["key.pub"]);
    fs::write(&first, right).unwrap();
    shipped.wait(&log);
}

#[test]
fn an_archive_that_is_not_there_or_not_writable_holds_up_nothing() {
    let shipped = Shipped::new();
    fs::remove_dir(&shipped.archive).unwrap();
    let log = shipped.open();
    shipped.ship(&log);
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    until("failed", || log.counts().archive.failures > 1);
    assert!(!shipped.archive.exists(), "nothing is made where nothing is mounted");
    until("late", || log.counts().archive.waiting_since.is_some());
    fs::write(&shipped.archive, "a file").unwrap();
    let failures = log.counts().archive.failures;
    until("failed", || log.counts().archive.failures > failures + 1);
    fs::remove_file(&shipped.archive).unwrap();
    fs::create_dir(&shipped.archive).unwrap();
    shipped.wait(&log);
    assert!(log.is_writable());
}

/// An archive whose disk is full, or not.
struct Disk {
    dir: DirArchive,
    full: Arc<AtomicBool>,
}

impl Archive for Disk {
    fn logs(&mut self) -> io::Result<Vec<String>> {
        self.dir.logs()
    }
    fn list(&mut self, log: &str) -> io::Result<Vec<Object>> {
        self.dir.list(log)
    }
    fn put(&mut self, log: &str, name: &str, content: Content<'_>) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            self.dir.put(log, name, content)
        }
    }
    fn remove(&mut self, log: &str, name: &str) -> io::Result<()> {
        self.dir.remove(log, name)
    }
    fn get(&mut self, log: &str, name: &str) -> io::Result<File> {
        self.dir.get(log, name)
    }
}

#[test]
fn a_full_disk_is_waited_for() {
    let shipped = Shipped::new();
    let full = Arc::new(AtomicBool::new(true));
    let log = shipped.open();
    let disk = Disk { dir: DirArchive::new(shipped.archive.clone()), full: Arc::clone(&full) };
    log.keep_archived(Box::new(disk), EVERY).unwrap();
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    until("failed", || log.counts().archive.failures > 1 && log.counts().archive.waiting_since.is_some());
    assert_eq!((log.counts().archive.archived, log.counts().archive.oldest), (Some(0), Some(now())));
    full.store(false, Ordering::SeqCst);
    shipped.wait(&log);
    until("in time", || log.counts().archive.waiting_since.is_none());
    drop(log);
    assert!(shipped.verify().is_intact());
}

#[test]
fn retention_waits_for_the_archive() {
    static CLOCK: AtomicI64 = AtomicI64::new(0);
    fn clock() -> Timestamp {
        Timestamp(CLOCK.load(Ordering::SeqCst))
    }
    let shipped = Shipped::new();
    let keep = |settings: &mut Settings| {
        settings.retention_days = 10;
        settings.clock = clock;
    };
    CLOCK.store(now().0, Ordering::SeqCst);
    let log = shipped.open_with(keep);
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    drop(log);
    let before = shipped.site.segments();
    CLOCK.store(now().0 + 11 * 86_400, Ordering::SeqCst);
    let log = shipped.open_with(keep);
    append(&log, 100, 101);
    drop(log);
    assert_eq!(shipped.site.segments(), before);
    let log = shipped.open_with(keep);
    shipped.ship(&log);
    shipped.wait(&log);
    drop(log);
    assert_eq!(shipped.site.segments(), before);
    let log = shipped.open_with(keep);
    append(&log, 101, 102);
    drop(log);
    assert_eq!(shipped.site.segments(), [*before.last().unwrap()]);
    assert!(shipped.verify().is_intact());
    // In another archive there are only the hashes of what is gone.
    let another = Shipped { archive: shipped.site.beside("another"), site: shipped.site };
    let log = another.open_with(|settings| {
        keep(settings);
        settings.archive = Some("another".to_owned());
    });
    another.ship(&log);
    another.wait(&log);
    for n in 102..200 {
        append(&log, n, n + 1);
    }
    another.wait(&log);
    drop(log);
    let report = another.verify();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.stored_from, *before.last().unwrap());
}

#[test]
fn what_was_done_to_an_archive_is_named() {
    let shipped = Shipped::new();
    let log = shipped.open();
    shipped.ship(&log);
    for n in 0..300 {
        append(&log, n, n + 1);
    }
    shipped.wait(&log);
    drop(log);
    let segments = shipped.site.segments();
    let (second, third) = (segments[1], segments[2]);
    let reach = *segments.last().unwrap();
    let later = shipped.site.checkpoints().pop().unwrap().sign(&shipped.site.signer()).unwrap();
    let objects = shipped.objects();
    let path = |kind: Kind| objects.join(kind.name());
    let with = |path: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let before = fs::read(path).unwrap();
        let mut after = before.clone();
        change(&mut after);
        fs::write(path, after).unwrap();
        let report = shipped.verify();
        fs::write(path, before).unwrap();
        report
    };
    let without = |kind: Kind| {
        let before = fs::read(path(kind)).unwrap();
        fs::remove_file(path(kind)).unwrap();
        let report = shipped.verify();
        fs::write(path(kind), before).unwrap();
        report
    };
    // Another event, compressed as it should be.
    let forge = |file: &mut Vec<u8>| {
        let mut text = Vec::new();
        io::Read::read_to_end(&mut crate::frames::Frames::open(&file[..]).unwrap(), &mut text).unwrap();
        text[4] ^= 1;
        let mut writer = crate::frames::FrameWriter::new(Vec::new()).unwrap();
        writer.push(&text).unwrap();
        *file = writer.finish().unwrap();
    };
    let report = with(&path(Kind::Segment(second)), &forge);
    assert_eq!(found(&report), [(FindingKind::Changed, second, 1)]);
    let report = with(&path(Kind::Segment(second)), &|file| file[20] ^= 1);
    assert_eq!(found(&report), [(FindingKind::Changed, second, third - second)]);
    let report = with(&path(Kind::Hashes(second)), &|file| file[0] ^= 1);
    assert!(found(&report).contains(&(FindingKind::Tree, second, 1)), "{report}");
    let report = with(&path(Kind::Checkpoint(second)), &|file| file[20] ^= 1);
    assert_eq!(report.findings[0].kind, FindingKind::Checkpoint);
    let mut archive = DirArchive::new(shipped.archive.clone());
    let name = log_name(&shipped.site.key());
    assert_eq!(ArchivedLog::new(&mut archive, &name).key().unwrap(), Some(shipped.site.key()));
    let report = with(&path(Kind::Key), &|file| *file = b"other".to_vec());
    assert_eq!(report.findings[0].kind, FindingKind::File);
    assert_eq!(found(&without(Kind::Segment(second))), [(FindingKind::Removed, second, third - second)]);
    let report = without(Kind::Hashes(second));
    assert_eq!(found(&report)[0], (FindingKind::Removed, second, third - second));
    assert_eq!((report.events, report.is_intact()), (second, false));
    assert_eq!(report.beyond.map(|beyond| beyond.size), Some(reach));
    // The oldest one is missing as after a retention, and counted so.
    let report = without(Kind::Segment(0));
    assert_eq!((report.is_intact(), report.stored_from), (true, second));
    fs::write(objects.join("more"), "").unwrap();
    assert_eq!(shipped.verify().findings[0].kind, FindingKind::File);
    fs::remove_file(objects.join("more")).unwrap();
    // A checkpoint that a witness kept tells of later events, and proves what is there.
    let report = shipped.verify_with(&[later]);
    assert!(report.is_intact());
    assert_eq!((report.events, report.beyond.map(|beyond| beyond.size)), (reach, Some(300)));
}

#[test]
fn names_of_logs_and_objects() {
    let signer = |name: &str| {
        let key = jomae_crypto::asym::PrivateKey::generate(jomae_crypto::asym::AsymSpec::Ed25519).unwrap();
        crate::Signer::new(name, key).unwrap()
    };
    let name = |origin: &str| {
        let signer = signer(origin);
        let name = log_name(signer.verifier());
        assert_eq!(name.split('.').next_back(), signer.verifier().to_string().split('+').nth(1));
        name.rsplit_once('.').unwrap().0.to_owned()
    };
    assert_eq!(name("jomae-0a1b2c3d"), "jomae-0a1b2c3d");
    assert_eq!(name("kms.example.com/audit"), "kms.example.com=2Faudit");
    assert_eq!(name("../é"), "=2E.=2F=C3=A9");
    assert_eq!(name(&"/".repeat(200)).len(), 200);
    for kind in [Kind::Key, Kind::Segment(7), Kind::Checkpoint(u64::MAX), Kind::Hashes(0)] {
        assert_eq!(Kind::of(&kind.name()), Some(kind));
    }
    for none in ["", "7.hashes", "+0000000000000000007.hashes", "00000000000000000007.jsonl", "key.pub.new"] {
        assert_eq!(Kind::of(none), None);
    }
}
