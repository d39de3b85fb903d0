use std::{io::Write as _, os::unix::fs::FileExt as _};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    batch::Batch,
    event::{self, Event, Findable as _, FoundBy, Member},
    log::tests::{Site, hand},
};

const ACCOUNTS: [&str; 3] = ["1000000000000001", "1000000000000002", "1000000000000003"];
const START_SECS: i64 = 1_767_225_600;

/// What differs from event to event; small numbers, so that much is found more than once.
#[derive(Clone, Debug)]
struct Made {
    account: usize,
    owner: Option<usize>,
    secs: i64,
    user: u8,
    name: u8,
    keys: Vec<u8>,
}

impl Made {
    fn line(&self, number: u64) -> String {
        let keys: Vec<String> = self.keys.iter().map(|key| format!("key-{key}")).collect();
        let mut event = json!({
            "eventId": format!("event-{number}"), "eventVersion": 1, "eventName": format!("Action{}", self.name),
            "eventType": "ApiCall", "eventRW": if self.name == 0 { "Write" } else { "Read" },
            "eventTime": Timestamp(self.secs).to_string(), "serviceName": "Kms", "sourceIpAddress": "10.0.0.1",
            "requestParameters": {"Description": "a \"quoted\" \\ text\nof two lines é"},
            "userIdentity": {
                "type": if self.user < 4 { "ram-user" } else { "assumed-role" }, "accountId": ACCOUNTS[self.account],
                "userName": format!("user:{}", self.user), "accessKeyId": format!("LTAI{}", self.user),
            },
        });
        if !keys.is_empty() {
            event["referencedResources"] = json!({"ACS::KMS::Key": keys});
        }
        if let Some(owner) = self.owner {
            event["resourceOwnerId"] = json!(ACCOUNTS[owner]);
        }
        event.to_string()
    }
}

fn made(number: u64) -> Made {
    let (small, digit) = (usize::try_from(number % 7).unwrap(), u8::try_from(number % 10).unwrap());
    Made {
        account: small / 3 % 2,
        owner: (small == 2).then_some(2),
        secs: START_SECS + i64::try_from(number).unwrap() / 3,
        user: digit % 6,
        name: digit % 3,
        keys: (0..digit % 3).map(|key| key + digit).collect(),
    }
}

struct Log {
    dir: tempfile::TempDir,
    lines: Vec<String>,
    /// The same, read.
    events: Vec<Value>,
}

impl Log {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), lines: Vec::new(), events: Vec::new() }
    }

    fn of(events: u64) -> Self {
        let mut log = Self::new();
        log.append((0..events).map(made), 300);
        log
    }

    /// Appends events; the segment changes when its number of events reaches `per_segment`.
    fn append(&mut self, events: impl IntoIterator<Item = Made>, per_segment: usize) {
        for event in events {
            let number = self.lines.len();
            let line = event.line(number as u64);
            let first = number / per_segment * per_segment;
            let path = self.dir.path().join(format!("{first:020}.jsonl"));
            let mut segment = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            segment.write_all(format!("{line}\n").as_bytes()).unwrap();
            self.events.push(serde_json::from_str(&line).unwrap());
            self.lines.push(line);
        }
    }

    fn index(&self) -> Index {
        Index::open(self.dir.path()).unwrap()
    }

    /// What a writer hands over of the events from `from` on: batches of so many events, some of them not handed over,
    /// some without what their events are found by.
    fn unindexed(&self, from: usize, per_segment: usize, batches: &[usize]) -> Arc<Unindexed> {
        let (unindexed, mut first) = (Unindexed::default(), from);
        for size in batches.iter().cycle() {
            let segment = first / per_segment * per_segment;
            let end = (first + size).min(segment + per_segment).min(self.lines.len());
            if first == end {
                break;
            }
            let bytes = |lines: &[String]| lines.iter().map(|line| line.len() as u64 + 1).sum();
            let mut batch = Batch::default();
            for line in &self.lines[first..end] {
                let values = values_of(line);
                let found_by = values.as_ref().map(|(time, values)| FoundBy { time: *time, values });
                batch.push(line.as_bytes(), found_by.filter(|_| size % 3 == 0));
            }
            let offset = bytes(&self.lines[segment..first]);
            let written = Written { batch, first: first as u64, segment: segment as u64, offset };
            if size % 7 != 0 {
                assert!(unindexed.push(written).is_none());
            }
            first = end;
        }
        Arc::new(unindexed)
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("index")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// What a look-up must give, found by looking at every event from `from` on with other means.
    fn scan(&self, query: &Query, from: usize) -> Page {
        let all = (0..).zip(&self.lines).zip(&self.events).skip(from);
        let behind = |number: u64| match (query.after, query.direction) {
            (None, _) => true,
            (Some(after), Direction::Backward) => number < after,
            (Some(after), Direction::Forward) => number > after,
        };
        let wanted = all.filter(|((number, _), event)| behind(*number) && is_wanted(event, query));
        let mut found: Vec<(u64, &String)> = wanted.map(|(numbered, _)| numbered).collect();
        if query.direction == Direction::Backward {
            found.reverse();
        }
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        Page { events: found.into_iter().map(|(number, line)| Found { number, line: line.clone() }).collect(), more }
    }
}

/// What an event is found by, as the one who writes its line tells.
fn values_of(line: &str) -> Option<(Timestamp, Vec<event::Value>)> {
    let (event, time) = Event::parse(line.as_bytes())?;
    let value = |member, text: &[u8]| {
        let start = text.as_ptr().addr() - line.as_ptr().addr();
        event::Value { member, start: u32::try_from(start).unwrap(), bytes: u32::try_from(text.len()).unwrap() }
    };
    let accounts = event.accounts().map(|account| value(Member::Account, account));
    let attributes = event.attributes().map(|(attribute, text)| value(Member::Attribute(attribute), text));
    Some((time, accounts.chain(attributes).collect()))
}

fn is_wanted(event: &Value, query: &Query) -> bool {
    let identity = &event["userIdentity"];
    let resources = event["referencedResources"].as_object();
    let has = |(attribute, wanted): &(Attribute, String)| match attribute {
        Attribute::ServiceName => event["serviceName"] == **wanted,
        Attribute::EventName => event["eventName"] == **wanted,
        Attribute::User => identity["userName"] == **wanted,
        Attribute::EventId => event["eventId"] == **wanted,
        Attribute::ResourceType => resources.is_some_and(|types| types.contains_key(wanted)),
        Attribute::ResourceName => resources
            .is_some_and(|types| types.values().any(|names| names.as_array().unwrap().contains(&json!(wanted)))),
        Attribute::EventRW => event["eventRW"] == **wanted,
        Attribute::EventAccessKeyId => identity["accessKeyId"] == **wanted,
        Attribute::SourceIpAddress => event["sourceIpAddress"] == **wanted,
        Attribute::EventType => event["eventType"] == **wanted,
        Attribute::RoleName => {
            let name = identity["userName"].as_str().unwrap();
            identity["type"] == "assumed-role" && name.split(':').next() == Some(wanted)
        }
    };
    // The form of the wire sorts as the moments do.
    let time = event["eventTime"].as_str().unwrap().to_owned();
    let account = query.account.as_str();
    (query.from.to_string()..=query.to.to_string()).contains(&time)
        && (identity["accountId"] == account || event["resourceOwnerId"] == account)
        && query.attributes.iter().all(has)
}

fn query(account: usize, attributes: &[(Attribute, &str)]) -> Query {
    Query {
        account: ACCOUNTS[account].to_owned(),
        from: Timestamp(0),
        to: Timestamp(START_SECS * 2),
        attributes: attributes.iter().map(|(attribute, value)| (*attribute, (*value).to_owned())).collect(),
        direction: Direction::Backward,
        limit: 10,
        after: None,
    }
}

fn some_queries() -> Vec<Query> {
    let mut queries = vec![
        query(0, &[]),
        query(1, &[(Attribute::ServiceName, "Kms")]),
        query(0, &[(Attribute::User, "user:3"), (Attribute::EventName, "Action0")]),
        query(2, &[(Attribute::ResourceName, "key-9")]),
        query(0, &[(Attribute::EventId, "event-600")]),
        query(0, &[(Attribute::RoleName, "user")]),
        query(0, &[(Attribute::EventId, "event-600"), (Attribute::EventName, "Nothing")]),
    ];
    let forward = queries.iter().map(|query| Query { direction: Direction::Forward, ..query.clone() });
    queries.extend(forward.collect::<Vec<_>>());
    queries
}

#[track_caller]
fn check(log: &Log, index: &Index) {
    for query in some_queries() {
        assert_eq!(index.lookup(&query).unwrap(), log.scan(&query, 0), "{query:?}");
    }
}

fn many_made() -> impl Strategy<Value = Vec<Made>> {
    let keys = proptest::collection::vec(0..9u8, 0..3);
    let one = (0..3usize, proptest::option::of(0..3usize), 0..5i64, 0..6u8, 0..3u8, keys);
    let events = proptest::collection::vec(one, 0..1400);
    events.prop_map(|events| {
        let mut now = START_SECS;
        let made = events.into_iter().map(|(account, owner, pause, user, name, keys)| {
            now += pause;
            // Events reach the log a little out of order.
            Made { account, owner, secs: now - pause * 2, user, name, keys }
        });
        made.collect()
    })
}

fn any_query() -> impl Strategy<Value = Query> {
    let value = prop_oneof![
        Just((Attribute::ServiceName, "Kms".to_owned())),
        (0..4u8).prop_map(|n| (Attribute::EventName, format!("Action{n}"))),
        (0..7u8).prop_map(|n| (Attribute::User, format!("user:{n}"))),
        (0..1400u32).prop_map(|n| (Attribute::EventId, format!("event-{n}"))),
        Just((Attribute::ResourceType, "ACS::KMS::Key".to_owned())),
        (0..10u8).prop_map(|n| (Attribute::ResourceName, format!("key-{n}"))),
        Just((Attribute::EventRW, "Write".to_owned())),
        (0..6u8).prop_map(|n| (Attribute::EventAccessKeyId, format!("LTAI{n}"))),
        Just((Attribute::SourceIpAddress, "10.0.0.1".to_owned())),
        Just((Attribute::EventType, "ApiCall".to_owned())),
        Just((Attribute::RoleName, "user".to_owned())),
    ];
    let attributes = proptest::collection::vec(value, 0..3);
    let direction = prop_oneof![Just(Direction::Backward), Just(Direction::Forward)];
    let range = (0..3000i64, 0..3000i64);
    let all = (0..3usize, attributes, direction, 1..60usize, range, proptest::option::of(0..1400u64));
    all.prop_map(|(account, attributes, direction, limit, (start, length), after)| Query {
        from: Timestamp(START_SECS + start),
        to: Timestamp(START_SECS + start + length),
        attributes,
        direction,
        limit,
        after,
        ..query(account, &[])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn as_a_scan(
        events in many_made(),
        later in many_made(),
        queries in proptest::collection::vec(any_query(), 20),
        per_segment in 1..900usize,
        batches in proptest::collection::vec(1..60usize, 1..30),
    ) {
        let mut log = Log::new();
        log.append(events, per_segment.max(100));
        let index = log.index();
        index.catch_up().unwrap();
        let before = log.lines.len();
        log.append(later, per_segment.max(100));
        let again = log.index();
        let handed = log.unindexed(before, per_segment.max(100), &batches);
        let handed = Index::open_beside(log.dir.path(), handed).unwrap();
        for query in queries {
            let expected = log.scan(&query, 0);
            prop_assert_eq!(&handed.lookup(&query).unwrap(), &expected, "{:?}", query);
            prop_assert_eq!(&index.lookup(&query).unwrap(), &expected, "{:?}", query);
            prop_assert_eq!(&again.lookup(&query).unwrap(), &expected, "{:?}", query);
        }
        index.catch_up().unwrap();
        prop_assert_eq!(log.files().len(), log.lines.len() / BLOCK_EVENTS);
    }

    /// Whatever bytes stand in an index file: the answers are right.
    #[test]
    fn damage_is_not_obeyed(at in 0..1_000_000u64, bytes in proptest::collection::vec(any::<u8>(), 1..40), cut: bool, open: bool) {
        let log = Log::of(1100);
        let index = log.index();
        index.catch_up().unwrap();
        let path = log.files().remove(0);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        if cut {
            file.set_len(at % length).unwrap();
        } else {
            file.write_all_at(&bytes, at % length).unwrap();
        }
        let index = if open { log.index() } else { index };
        check(&log, &index);
    }
}

#[test]
fn pages_follow_each_other() {
    let log = Log::of(1700);
    let index = log.index();
    for direction in [Direction::Backward, Direction::Forward] {
        let whole = Query { direction, limit: 5000, ..query(0, &[(Attribute::EventName, "Action1")]) };
        let all = index.lookup(&whole).unwrap();
        assert!(!all.more && all.events.len() > 200);
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = index.lookup(&Query { limit: 50, after, ..whole.clone() }).unwrap();
            after = page.events.last().map(|found| found.number);
            pages.extend(page.events);
            if !page.more {
                break;
            }
        }
        assert_eq!(pages, all.events);
    }
    // A page that is exactly the rest is the last.
    let one = Query { limit: 1, ..query(1, &[(Attribute::EventId, "event-3")]) };
    let one = index.lookup(&one).unwrap();
    assert_eq!((one.events.len(), one.more), (1, false));
}

#[test]
fn accounts_see_their_own() {
    let log = Log::of(700);
    let index = log.index();
    for (account, id) in ACCOUNTS.into_iter().enumerate() {
        let page = index.lookup(&Query { limit: 1000, ..query(account, &[]) }).unwrap();
        assert!(!page.events.is_empty());
        for Found { line, .. } in &page.events {
            let event: Value = serde_json::from_str(line).unwrap();
            let seen_by = [&event["userIdentity"]["accountId"], &event["resourceOwnerId"]];
            assert!(seen_by.contains(&&json!(id)), "{line}");
        }
        // By every value that any event has, even of other accounts.
        for line in log.lines.iter().take(40) {
            let (event, _) = Event::parse(line.as_bytes()).unwrap();
            for (attribute, value) in event.attributes() {
                let value = str::from_utf8(value).unwrap();
                let query = Query { limit: 1000, ..query(account, &[(attribute, value)]) };
                assert_eq!(index.lookup(&query).unwrap(), log.scan(&query, 0));
            }
        }
    }
}

#[test]
fn closed_blocks_are_opened_and_not_made_again() {
    let mut log = Log::of(1100);
    let progress = log.index().catch_up().unwrap();
    assert_eq!((progress.events, progress.stored_blocks), (1100, 2));
    let before: Vec<_> = log.files().iter().map(|path| fs::read(path).unwrap()).collect();
    let index = log.index();
    check(&log, &index);
    log.append((1100..2100).map(made), 300);
    check(&log, &index);
    let progress = index.catch_up().unwrap();
    assert_eq!((progress.events, progress.stored_blocks), (2100, 4));
    check(&log, &index);
    let after: Vec<_> = log.files().iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(after.starts_with(&before), "a file that was there has changed");
    assert_eq!(after.len(), 4);
}

#[test]
fn what_is_missing_or_foreign_is_made_anew() {
    let log = Log::of(1700);
    log.index().catch_up().unwrap();
    let files = log.files();
    let content = |path: &PathBuf| fs::read(path).unwrap();
    // Gone, of another version, another block's, and a file that is none.
    fs::remove_file(&files[0]).unwrap();
    let mut other_version = content(&files[1]);
    other_version[7] += 1;
    fs::write(&files[1], other_version).unwrap();
    fs::copy(&files[2], files[2].with_file_name(format!("{:020}.idx", 512 * 3))).unwrap();
    fs::write(files[2].with_file_name("notes.idx"), "?").unwrap();
    let index = log.index();
    check(&log, &index);
    assert_eq!(index.catch_up().unwrap().stored_blocks, 3);
    fs::write(&files[0], content(&files[1])).unwrap();
    let index = log.index();
    check(&log, &index);
    assert_eq!(index.catch_up().unwrap().stored_blocks, 3);
    assert_ne!(content(&files[0]), content(&files[1]));
}

#[test]
fn an_index_of_another_log_is_not_taken() {
    let log = Log::of(1100);
    log.index().catch_up().unwrap();
    let other = Log::new();
    fs::create_dir(other.dir.path().join("index")).unwrap();
    let mut other = other;
    other.append((0..1100).map(|number| Made { user: 1, ..made(number) }), 300);
    for path in log.files() {
        fs::copy(&path, other.dir.path().join("index").join(path.file_name().unwrap())).unwrap();
    }
    check(&other, &other.index());
    // A log that ends before the blocks of its index do.
    let mut shorter = Log::of(600);
    fs::create_dir(shorter.dir.path().join("index")).unwrap();
    for path in log.files() {
        fs::copy(&path, shorter.dir.path().join("index").join(path.file_name().unwrap())).unwrap();
    }
    let index = shorter.index();
    check(&shorter, &index);
    shorter.append((600..1100).map(|number| Made { user: 2, ..made(number) }), 300);
    check(&shorter, &index);
    assert_eq!(index.catch_up().unwrap().stored_blocks, 2);
}

#[test]
fn a_log_that_is_changed_while_it_is_open() {
    let log = Log::of(1100);
    let index = log.index();
    index.catch_up().unwrap();
    // Every line keeps its length, and the users change: in closed blocks and the open one.
    let path = log.dir.path().join(format!("{:020}.jsonl", 0));
    for first in (0..1100).step_by(300) {
        let path = path.with_file_name(format!("{first:020}.jsonl"));
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("user:3", "user:5")).unwrap();
    }
    let gone = query(0, &[(Attribute::User, "user:3")]);
    assert_eq!(index.lookup(&gone).unwrap(), Page::default());
}

#[test]
fn retention_takes_blocks_along() {
    let log = Log::of(2000);
    let index = log.index();
    index.catch_up().unwrap();
    assert_eq!(log.files().len(), 3);
    // Events from 600 stay: block 0 is gone, block 1 has lost its first events.
    for first in [0, 300] {
        fs::remove_file(log.dir.path().join(format!("{first:020}.jsonl"))).unwrap();
    }
    for index in [&index, &log.index()] {
        for query in some_queries() {
            assert_eq!(index.lookup(&query).unwrap(), log.scan(&query, 600), "{query:?}");
        }
    }
    assert_eq!(index.catch_up().unwrap().stored_blocks, 2);
    assert_eq!(log.files().len(), 2);
    // An index made only now knows the same.
    fs::remove_dir_all(log.dir.path().join("index")).unwrap();
    let index = log.index();
    assert_eq!(index.catch_up().unwrap().stored_blocks, 2);
    for query in some_queries() {
        assert_eq!(index.lookup(&query).unwrap(), log.scan(&query, 600), "{query:?}");
    }
}

#[test]
fn an_empty_log_and_half_a_line() {
    let mut log = Log::new();
    let index = log.index();
    assert_eq!(index.lookup(&query(0, &[])).unwrap(), Page::default());
    assert_eq!(index.catch_up().unwrap(), Progress { events: 0, stored_blocks: 0 });
    let path = log.dir.path().join(format!("{:020}.jsonl", 0));
    fs::write(&path, made(0).line(0)).unwrap();
    assert_eq!(index.lookup(&query(0, &[])).unwrap(), Page::default());
    fs::write(&path, "").unwrap();
    log.append([made(0)], 300);
    assert_eq!(index.lookup(&query(0, &[])).unwrap(), log.scan(&query(0, &[]), 0));
}

#[test]
fn lines_that_are_no_events_have_no_place() {
    let log = Log::of(700);
    let path = log.dir.path().join(format!("{:020}.jsonl", 0));
    let text = fs::read_to_string(&path).unwrap();
    let no_events = ["", "{", "[1]", "{\"eventTime\":\"never\"}", "\u{1}"];
    let lines: Vec<&str> = no_events.into_iter().chain(text.lines().skip(no_events.len())).collect();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let index = log.index();
    for query in some_queries() {
        assert_eq!(index.lookup(&query).unwrap(), log.scan(&query, no_events.len()), "{query:?}");
    }
    assert_eq!(index.catch_up().unwrap().events, 700);
}

#[test]
fn files_that_cannot_be_written_stop_nothing_at_first() {
    let log = Log::of(700);
    let index = log.index();
    fs::remove_dir(log.dir.path().join("index")).unwrap();
    assert!(index.catch_up().is_err());
    check(&log, &index);
    fs::create_dir(log.dir.path().join("index")).unwrap();
    assert_eq!(index.catch_up().unwrap().stored_blocks, 1);
    check(&log, &index);
}

#[test]
fn a_shortage_is_no_damage() {
    for code in [12, 23, 24] {
        assert!(is_shortage(&io::Error::from_raw_os_error(code)));
    }
    for error in [io::Error::from_raw_os_error(2), io::ErrorKind::InvalidData.into(), io::ErrorKind::NotFound.into()] {
        assert!(!is_shortage(&error), "{error}");
    }
}

#[test]
fn files_that_are_removed_while_they_are_used() {
    let log = Log::of(4000);
    let index = log.index();
    assert_eq!(index.catch_up().unwrap().stored_blocks, 7);
    log.files().iter().for_each(|path| fs::remove_file(path).unwrap());
    // So many blocks are not made again while somebody waits.
    let error = index.lookup(&query(0, &[(Attribute::EventId, "none")])).unwrap_err();
    assert!(error.to_string().contains("still being made"), "{error}");
    assert_eq!(index.catch_up().unwrap().stored_blocks, 7);
    check(&log, &index);
    assert_eq!(log.files().len(), 7);
}

/// Through the log itself: what has been answered is found, over segments that the log made.
#[test]
fn through_the_log() {
    let site = Site::new();
    let log = site.open_with(|settings| settings.segment_bytes_max = 64 * 1024);
    let mut same = Log::new();
    same.append((0..600).map(made), 1000);
    for (line, number) in same.lines.iter().zip(1..) {
        // What is written at once stands in one segment.
        hand(&log, line.clone().into_bytes(), number % 100 == 0).wait().unwrap();
    }
    for query in some_queries() {
        assert_eq!(log.lookup(&query).unwrap(), same.scan(&query, 0), "{query:?}");
    }
    assert!(layout::segments(&site.dir()).unwrap().len() > 2);
    // In compressed segments too, by what was indexed before and by what is indexed again.
    log.keep_compressed().unwrap();
    let is_plain = |segment: &layout::Segment| !segment.is_compressed();
    while layout::segments(&site.dir()).unwrap().iter().filter(|segment| is_plain(segment)).count() > 1 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for query in some_queries() {
        assert_eq!(log.lookup(&query).unwrap(), same.scan(&query, 0), "{query:?}");
    }
    fs::remove_dir_all(layout::index(&site.dir())).unwrap();
    let index = Index::open(&site.dir()).unwrap();
    index.catch_up().unwrap();
    for query in some_queries() {
        assert_eq!(index.lookup(&query).unwrap(), same.scan(&query, 0), "{query:?}");
    }
    // What is damaged is not found; the rest is.
    let segment = layout::segments(&site.dir()).unwrap().remove(0);
    fs::write(&segment.path, "no frames").unwrap();
    fs::remove_dir_all(layout::index(&site.dir())).unwrap();
    let index = Index::open(&site.dir()).unwrap();
    index.catch_up().unwrap();
    let last = query(0, &[(Attribute::EventId, "none")]);
    index.lookup(&last).unwrap();
}

/// Many look-ups while the log grows: each sees at least what was there before it began, in order.
#[test]
fn together_with_the_writer() {
    let mut log = Log::of(600);
    let index = Arc::new(log.index());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ticking = std::thread::spawn({
        let (index, stop) = (index.clone(), stop.clone());
        move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                index.catch_up().unwrap();
                std::thread::yield_now();
            }
        }
    });
    for round in 6..14 {
        log.append((round * 100..(round + 1) * 100).map(made), 300);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| check(&log, &index));
            }
        });
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    ticking.join().unwrap();
    assert_eq!(log.files().len(), 2, "no half-written file is left");
}
