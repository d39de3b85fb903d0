//! The log as a whole: order, numbers, checkpoints, what a crash leaves.

use std::{
    fs,
    sync::{atomic::AtomicU32, mpsc},
    thread,
};

use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    secret::SecretBytes,
};

use super::*;
use crate::{
    EventProof, Receipt, VerifierKey,
    checkpoint::split_file,
    checkpoint_file, consistency_proof, copy,
    event::Attribute,
    inclusion_proof,
    index::{Direction, Found},
    tail::{self, TailKey},
    tree_files::TreeFiles,
    verify::{self, Report, verify},
    verify_consistency, verify_inclusion,
};

/// A log's directory with its key.
pub struct Site {
    root: tempfile::TempDir,
    key: Vec<u8>,
}

/// That nothing is known of the log yet.
pub fn unknown() -> Trust {
    Trust { known: None, tail_key: TailKey::new("test.example/log", Arc::new(SecretBytes::random(tail::KEY_BYTES))) }
}

pub fn now() -> Timestamp {
    Timestamp(1_800_000_000)
}

impl Site {
    pub fn new() -> Self {
        let key = PrivateKey::generate(AsymSpec::Ed25519).unwrap().to_pkcs8().unwrap();
        Self { root: tempfile::tempdir().unwrap(), key: key.expose().to_vec() }
    }

    /// Another place for a log with the same key.
    pub fn another(&self) -> Self {
        Self { root: tempfile::tempdir().unwrap(), key: self.key.clone() }
    }

    pub fn dir(&self) -> PathBuf {
        let dir = self.root.path().join("audit");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// A directory beside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        let dir = self.root.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    }

    pub fn signer(&self) -> Signer {
        Signer::new("test.example/log", PrivateKey::from_pkcs8(AsymSpec::Ed25519, &self.key).unwrap()).unwrap()
    }

    pub fn key(&self) -> VerifierKey {
        self.signer().verifier().clone()
    }

    pub fn settings(&self) -> Settings {
        Settings {
            state: StateSource::default(),
            dir: self.dir(),
            strict: false,
            segment_bytes_max: 64 * 1024 * 1024,
            rotate_daily: false,
            checkpoint_every: Duration::from_secs(1),
            retention_days: 0,
            compress_closed: true,
            archive: None,
            clock: now,
        }
    }

    pub fn open(&self) -> Log {
        Log::open(self.settings(), self.signer(), unknown()).unwrap()
    }

    pub fn open_with(&self, change: impl FnOnce(&mut Settings)) -> Log {
        let mut settings = self.settings();
        change(&mut settings);
        Log::open(settings, self.signer(), unknown()).unwrap()
    }

    pub fn segments(&self) -> Vec<u64> {
        layout::segments(&self.dir()).unwrap().iter().map(|segment| segment.first).collect()
    }

    /// Waits until all closed segments are compressed.
    pub fn wait_until_compressed(&self) {
        let compressed = || {
            let mut segments = layout::segments(&self.dir()).unwrap();
            segments.pop();
            segments.iter().all(layout::Segment::is_compressed)
        };
        while !compressed() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The checkpoints on disk, oldest first, each with a valid signature.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let content = checkpoint_file::read(&self.dir()).unwrap();
        let (notes, rest) = split_file(&content);
        assert_eq!(rest, "");
        notes.into_iter().map(|note| Checkpoint::open(note, &self.key()).unwrap()).collect()
    }

    /// Checks the log off line, and that it has so many events, all of them covered.
    pub fn assert_intact(&self, events: u64) -> Report {
        let report = verify(&self.dir(), &self.key(), &[]).unwrap();
        assert!(report.is_intact(), "{report}");
        assert_eq!((report.events, report.covered), (events, events), "{report}");
        report
    }
}

pub fn line(n: u64) -> Vec<u8> {
    format!("{{\"eventId\":\"id-{n}\",\"eventTime\":\"{}\"}}", Timestamp(now().0 + i64::try_from(n).unwrap()))
        .into_bytes()
}

/// An event that was appended.
pub struct Pending {
    pub index: u64,
    status: AppendStatus,
    synced: mpsc::Receiver<Result<(), WriteError>>,
}

impl Pending {
    pub fn wait(self) -> Result<(), WriteError> {
        match self.status {
            AppendStatus::Buffered => Ok(()),
            AppendStatus::AwaitingSync => self.synced.recv().unwrap_or_else(|_| Err(WriteError::closed())),
            AppendStatus::Rejected(why) => Err(why),
        }
    }
}

pub fn hand(log: &Log, event: impl AsRef<[u8]>, on_disk: bool) -> Pending {
    let (sender, synced) = mpsc::channel();
    let callback = || -> SyncCallback {
        Box::new(move |result| {
            let _ = sender.send(result);
        })
    };
    let Appended { index, status } = log.append(event.as_ref(), None, on_disk, callback);
    Pending { index, status, synced }
}

/// Appends events `from..to`, and checks their numbers; the last one is on disk.
pub fn append(log: &Log, from: u64, to: u64) {
    for n in from..to {
        let pending = hand(log, line(n), n + 1 == to);
        assert_eq!(pending.index, n);
        pending.wait().unwrap();
    }
}

pub fn lines_of(dir: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for segment in layout::segments(dir).unwrap() {
        assert_eq!(segment.first, all.len() as u64);
        let mut lines = Lines::open(&segment.path).unwrap();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(line.to_vec());
        }
    }
    all
}

pub fn lines(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(line).collect()
}

#[test]
fn events_stand_in_the_order_of_their_numbers_over_restarts() {
    let site = Site::new();
    for round in 0..3 {
        let log = site.open();
        append(&log, round * 50, round * 50 + 50);
        assert_eq!(log.event(round * 50 + 7).unwrap(), Some(line(round * 50 + 7)));
        assert_eq!(log.event(round * 50 + 50).unwrap(), None);
        drop(log);
        assert_eq!(lines_of(&site.dir()), lines(0, round * 50 + 50));
        site.assert_intact(round * 50 + 50);
    }
    let key = fs::read_to_string(layout::public_key(&site.dir())).unwrap();
    assert_eq!(VerifierKey::parse(&key).unwrap(), site.key());
}

#[test]
fn an_answered_event_is_in_the_file() {
    let site = Site::new();
    let log = site.open();
    for n in 0..20 {
        append(&log, n, n + 1);
        assert_eq!(lines_of(&site.dir()), lines(0, n + 1));
        assert_eq!(log.counts().size, n + 1);
    }
}

#[test]
fn waiting_calls_share_syncs_and_their_numbers_are_their_lines() {
    let site = Site::new();
    let log = Arc::new(site.open_with(|settings| {
        settings.strict = true;
        settings.segment_bytes_max = 4000;
    }));
    let calls: Vec<_> = (0..500)
        .map(|n| {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                let pending = hand(&log, line(n), false);
                let index = pending.index;
                pending.wait().unwrap();
                (index, line(n))
            })
        })
        .collect();
    let mut numbered = Vec::new();
    for call in calls {
        numbered.push(call.join().unwrap());
    }
    numbered.sort();
    let counts = log.counts();
    assert_eq!((counts.events, counts.size), (500, 500));
    assert!(counts.syncs <= 500, "{counts:?}");
    drop(log);
    let expected: Vec<(u64, Vec<u8>)> = (0..).zip(lines_of(&site.dir())).collect();
    assert_eq!(numbered, expected);
    site.assert_intact(500);
}

#[test]
fn only_sleep_is_disturbed() {
    let shared = Shared::new(0, NO_ARCHIVE);
    let mut buffer = shared.buffer();
    let mut wakes = |sleep, waiting: usize| {
        buffer.sleep = sleep;
        buffer.waiting = (0..waiting).map(|_| -> SyncCallback { Box::new(|_| ()) }).collect();
        buffer.wakes_writer() && !buffer.wakes_writer()
    };
    assert!(!wakes(Sleep::Awake, 5));
    assert!(wakes(Sleep::ForEvents, 0));
    assert!(!wakes(Sleep::ForCallers(3), 2));
    assert!(wakes(Sleep::ForCallers(3), 3));
}

#[test]
fn events_are_found_by_id() {
    let site = Site::new();
    let log = site.open();
    append(&log, 0, 3);
    assert_eq!(log.find(&["id-1", "id-7", "id-0"]).unwrap(), ["id-0", "id-1"]);
}

#[test]
fn what_is_no_line_or_comes_too_late_is_refused() {
    let site = Site::new();
    let log = site.open();
    append(&log, 0, 2);
    assert!(hand(&log, b"{\n}", true).wait().is_err());
    append(&log, 2, 3);
    log.close();
    assert!(hand(&log, line(3), true).wait().is_err());
    assert!(hand(&log, line(3), false).wait().is_err());
    log.close();
    assert_eq!(lines_of(&site.dir()), lines(0, 3));
}

#[test]
fn every_event_that_is_taken_can_be_verified() {
    let site = Site::new();
    let log = site.open();
    let event = |bytes: usize| {
        let start = format!("{{\"eventId\":\"e\",\"eventTime\":\"{}\",\"x\":\"", now());
        format!("{start}{}\"}}", "\\\"".repeat((bytes - start.len()) / 2)).into_bytes()
    };
    let longest = event(EVENT_BYTES_MAX - 3);
    assert!(longest.len() > EVENT_BYTES_MAX - 4 && longest.len() <= EVENT_BYTES_MAX);
    hand(&log, longest, true).wait().unwrap();
    for refused in [event(EVENT_BYTES_MAX + 2), b"{\0}".to_vec()] {
        hand(&log, refused, true).wait().unwrap_err();
    }
    drop(log);
    site.assert_intact(1);
    let proof = verify::prove(&site.dir(), &site.key(), verify::EventRef::Index(0)).unwrap();
    EventProof::parse(&proof.to_json()).unwrap().verify(&site.key()).unwrap();
    let (mut excerpt, all) = (Vec::new(), verify::Filter::default());
    assert_eq!(verify::export(&site.dir(), &site.key(), &all, &mut excerpt).unwrap().events, 1);
    assert_eq!(verify::verify_export(&mut &*excerpt, &site.key()).unwrap().events, 1);
}

#[test]
fn a_log_in_use_is_intact_and_so_is_every_copy() {
    in_use(false);
    in_use(true);
}

fn in_use(strict: bool) {
    let site = Site::new();
    let log = Arc::new(site.open_with(|settings| {
        settings.strict = strict;
        settings.segment_bytes_max = 100_000;
        settings.checkpoint_every = Duration::from_millis(1);
    }));
    log.keep_compressed().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (writing, stopped) = (Arc::clone(&log), Arc::clone(&stop));
    let writer = thread::spawn(move || {
        for n in 0.. {
            if stopped.load(Ordering::Relaxed) {
                return n;
            }
            thread::sleep(Duration::from_millis(2));
            for _ in 0..19 {
                hand(&writing, line(0), false).wait().unwrap();
            }
            hand(&writing, line(0), true).wait().unwrap();
        }
        0
    });
    while log.counts().size < 1000 {
        thread::yield_now();
    }
    for round in 0..8 {
        let to = site.beside(&format!("copy-{round}"));
        copy(&site.dir(), &to).unwrap();
        for dir in [&to, &site.dir()] {
            let report = verify(dir, &site.key(), &[]).unwrap();
            assert!(report.is_intact(), "{} {report}", dir.display());
        }
        let settings = Settings { dir: to, ..site.settings() };
        drop(Log::open(settings, site.signer(), unknown()).unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = writer.join().unwrap();
    drop(log);
    site.assert_intact(rounds * 20);
}

#[test]
fn a_log_that_went_on_from_a_backup_does_not_fit_what_was_signed_later() {
    let site = Site::new();
    let log = site.open();
    append(&log, 0, 40);
    drop(log);
    let backup = site.beside("backup");
    copy(&site.dir(), &backup).unwrap();
    let log = site.open();
    append(&log, 40, 60);
    let receipt = log.receipt(50, &line(50), "id-50", now()).unwrap();
    drop(log);
    let kept = verify::newest_checkpoint(&site.dir(), &site.key()).unwrap().1;
    for events in [45, 60, 80] {
        let log = Log::open(Settings { dir: backup.clone(), ..site.settings() }, site.signer(), unknown()).unwrap();
        for n in log.counts().size..events {
            hand(&log, line(1000 + n), true).wait().unwrap();
        }
        drop(log);
        assert!(verify(&backup, &site.key(), &[]).unwrap().is_intact());
        assert!(!verify(&backup, &site.key(), std::slice::from_ref(&kept)).unwrap().is_intact(), "{events}");
        verify::consistency(&backup, &site.key(), &kept).unwrap_err();
        verify::check_receipt(&backup, &site.key(), &receipt).unwrap_err();
    }
}

#[test]
fn segments_follow_one_another_by_size() {
    let site = Site::new();
    for round in 0..4 {
        let log = site.open_with(|settings| settings.segment_bytes_max = 1000);
        for n in round * 25..round * 25 + 25 {
            append(&log, n, n + 1);
        }
    }
    assert_eq!(lines_of(&site.dir()), lines(0, 100));
    assert!(site.segments().len() > 5, "{:?}", site.segments());
    for segment in layout::segments(&site.dir()).unwrap() {
        assert!(fs::metadata(&segment.path).unwrap().len() <= 1000);
    }
    // Every change of segment has a checkpoint of its own.
    let sizes: Vec<u64> = site.checkpoints().iter().map(|checkpoint| checkpoint.size).collect();
    assert!(site.segments().iter().all(|first| sizes.contains(first)), "{sizes:?}");
    site.assert_intact(100);
}

#[test]
fn each_day_may_have_its_segment() {
    static CLOCK: AtomicI64 = AtomicI64::new(0);
    const DAY: i64 = 86_400;
    fn clock() -> Timestamp {
        Timestamp(CLOCK.load(Ordering::SeqCst))
    }
    let site = Site::new();
    let daily = |settings: &mut Settings| {
        settings.rotate_daily = true;
        settings.clock = clock;
    };
    let event = || format!("{{\"eventTime\":\"{}\"}}", clock()).into_bytes();
    let mut log = site.open_with(daily);
    for (at, restart) in [(5, false), (DAY - 1, true), (DAY, true), (DAY + 7, true), (5 * DAY, false), (5 * DAY, true)]
    {
        CLOCK.store(at, Ordering::SeqCst);
        hand(&log, event(), true).wait().unwrap();
        if restart {
            drop(log);
            log = site.open_with(daily);
        }
    }
    assert_eq!(site.segments(), [0, 2, 4]);
}

#[test]
fn a_stop_leaves_nothing_uncovered() {
    let site = Site::new();
    let far = |settings: &mut Settings| settings.checkpoint_every = Duration::from_hours(1);
    let log = site.open_with(far);
    assert_eq!(site.checkpoints().len(), 1, "a log begins with the checkpoint of no events");
    for n in 0..300 {
        hand(&log, line(n), false).wait().unwrap();
    }
    drop(log);
    site.assert_intact(300);
    let count = site.checkpoints().len();
    drop(site.open_with(far));
    assert_eq!(site.checkpoints().len(), count, "nothing new, nothing signed");
}

#[test]
fn checkpoints_come_by_themselves() {
    let site = Site::new();
    let log = site.open_with(|settings| settings.checkpoint_every = Duration::from_millis(1));
    for n in 0..5 {
        hand(&log, line(n), false).wait().unwrap();
        while log.counts().covered <= n {
            thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(log.counts().checkpoints >= 6);
    assert_eq!((log.counts().covered_at, log.counts().checkpoint_failures), (now(), 0));
    let sizes: Vec<u64> = site.checkpoints().iter().map(|checkpoint| checkpoint.size).collect();
    assert!((0..=5).all(|size| sizes.contains(&size)), "{sizes:?}");
}

#[test]
fn receipts_hold_against_a_checkpoint() {
    let site = Site::new();
    let log = site.open();
    append(&log, 0, 20);
    let sent = log.receipt(11, &line(11), "id-11", now()).unwrap();
    assert!(log.receipt(20, &line(20), "id-20", now()).is_err(), "it is not on disk");
    drop(log);
    let receipt = Receipt::open(&sent, &site.key()).unwrap();
    assert_eq!((receipt.index, receipt.event_id.as_str(), receipt.time), (11, "id-11", now()));
    let checkpoint = site.checkpoints().pop().unwrap();
    let nodes = TreeFiles::open(&layout::tree(&site.dir()), files::open).unwrap();
    let proof = inclusion_proof(&nodes, 11, 20).unwrap();
    assert!(verify_inclusion(&receipt.leaf, 11, 20, &proof, &checkpoint.root));
}

#[test]
fn failed_writes_are_repeated_in_order() {
    let site = Site::new();
    let log = site.open_with(|settings| settings.segment_bytes_max = 1000);
    append(&log, 0, 10);
    // Wherever the next segment is to begin, its place is taken: what should stand in it cannot be written.
    let obstacles: Vec<PathBuf> = (11..60).map(|first| layout::segment(&site.dir(), first)).collect();
    let mut n = 10;
    for obstacle in &obstacles {
        fs::create_dir(obstacle).unwrap();
    }
    loop {
        let pending = hand(&log, line(n), true);
        assert_eq!(pending.index, n);
        n += 1;
        if pending.wait().is_err() {
            break;
        }
    }
    assert!(!log.is_writable());
    assert!(log.receipt(n - 1, &line(n - 1), "x", now()).is_err());
    // What is handed over meanwhile has its place behind.
    let mut waiting = Vec::new();
    for _ in 0..30 {
        let pending = hand(&log, line(n), true);
        assert_eq!(pending.index, n);
        n += 1;
        waiting.push(pending);
    }
    for obstacle in &obstacles {
        fs::remove_dir(obstacle).unwrap();
    }
    for pending in waiting {
        pending.wait().unwrap();
    }
    assert!(log.is_writable());
    drop(log);
    assert_eq!(lines_of(&site.dir()), lines(0, n));
    site.assert_intact(n);
}

#[test]
fn whatever_moment_a_kill_meets_the_log_goes_on() {
    kills(false);
    kills(true);
}

fn kills(strict: bool) {
    static ROUND: AtomicU32 = AtomicU32::new(0);
    ROUND.store(0, Ordering::SeqCst);
    let site = Site::new();
    let settings = |settings: &mut Settings| {
        settings.strict = strict;
        settings.segment_bytes_max = 20_000;
        settings.checkpoint_every = Duration::from_millis(2);
    };
    let log = Arc::new(site.open_with(settings));
    log.keep_compressed().unwrap();
    let writing = {
        let log = Arc::clone(&log);
        thread::spawn(move || {
            let mut n = 0;
            while ROUND.load(Ordering::SeqCst) < 12 {
                append(&log, n, n + 20);
                n += 20;
            }
            n
        })
    };
    // The files as they are at some moment, between any two writes or within one, are what a kill would leave.
    for round in 0..12u64 {
        while log.counts().size < round * 300 {
            thread::yield_now();
        }
        let answered = log.counts().size;
        let killed = site.another();
        copy(&site.dir(), &killed.dir()).unwrap();
        let again = killed.open_with(settings);
        let events = again.counts().size;
        assert!(events >= answered, "{events} of {answered}");
        append(&again, events, events + 30);
        drop(again);
        assert_eq!(lines_of(&killed.dir()), lines(0, events + 30));
        killed.assert_intact(events + 30);
        ROUND.fetch_add(1, Ordering::SeqCst);
    }
    let written = writing.join().unwrap();
    drop(log);
    site.assert_intact(written);
}

#[test]
fn events_past_their_retention_go_and_their_proofs_stay() {
    static CLOCK: AtomicI64 = AtomicI64::new(0);
    fn clock() -> Timestamp {
        Timestamp(CLOCK.load(Ordering::SeqCst))
    }
    let site = Site::new();
    let keep = |settings: &mut Settings| {
        settings.retention_days = 10;
        settings.segment_bytes_max = 1000;
        settings.clock = clock;
    };
    let in_days = |days: i64| CLOCK.store(now().0 + days * 86_400, Ordering::SeqCst);
    in_days(0);
    let log = site.open_with(keep);
    for n in 0..100 {
        append(&log, n, n + 1);
    }
    let proof_of = |index, size| {
        let nodes = TreeFiles::open(&layout::tree(&site.dir()), files::open).unwrap();
        inclusion_proof(&nodes, index, size).unwrap()
    };
    drop(log);
    let before = site.segments();
    let old = site.checkpoints().pop().unwrap();
    assert_eq!(old.size, 100);
    let kept = proof_of(3, 100);

    in_days(9);
    drop(site.open_with(keep));
    assert_eq!(site.segments(), before, "nothing is old enough");
    // Compressed or not.
    let log = site.open_with(keep);
    log.keep_compressed().unwrap();
    site.wait_until_compressed();
    drop(log);
    assert_eq!(site.segments(), before);
    in_days(11);
    // The newest segment is never removed.
    let log = site.open_with(keep);
    append(&log, 100, 101);
    drop(log);
    assert_eq!(site.segments(), [*before.last().unwrap()]);
    let log = site.open_with(keep);
    append(&log, 101, 300);
    assert_eq!(log.event(3).unwrap(), None);
    assert_eq!(log.event(299).unwrap(), Some(line(299)));
    drop(log);
    let newest = site.checkpoints().pop().unwrap();
    let leaf = leaf_hash(&line(3));
    assert_eq!(proof_of(3, 100), kept);
    assert!(verify_inclusion(&leaf, 3, 300, &proof_of(3, 300), &newest.root));
    let nodes = TreeFiles::open(&layout::tree(&site.dir()), files::open).unwrap();
    let consistent = consistency_proof(&nodes, 100, 300).unwrap();
    assert!(verify_consistency(100, &old.root, 300, &newest.root, &consistent));
    let report = site.assert_intact(300);
    assert_eq!(report.stored_from, site.segments()[0]);

    // The hashes of what is gone are all that is left of it: without them there is no start.
    let tree = layout::tree(&site.dir());
    fs::remove_dir_all(&tree).unwrap();
    let error = Log::open(site.settings(), site.signer(), unknown()).err().unwrap().to_string();
    assert!(error.contains("hashes of events 0 and later are lost"), "{error}");
}

#[test]
fn events_can_be_looked_up_at_once() {
    let site = Site::new();
    let log = site.open();
    let account = "1000000000000001";
    let event = |n: i64| {
        let time = Timestamp(now().0 + n);
        format!(
            "{{\"eventId\":\"id-{n}\",\"eventTime\":\"{time}\",\"eventName\":\"Encrypt\",\"userIdentity\":\
             {{\"accountId\":\"{account}\"}}}}"
        )
    };
    for n in 0..40 {
        hand(&log, event(n).into_bytes(), true).wait().unwrap();
    }
    let query = Query {
        account: account.to_owned(),
        from: now(),
        to: Timestamp(now().0 + 1000),
        attributes: vec![(Attribute::EventId, "id-33".to_owned())],
        direction: Direction::Backward,
        limit: 10,
        after: None,
    };
    assert_eq!(log.lookup(&query).unwrap(), Page { events: vec![Found { number: 33, line: event(33) }], more: false });
}
