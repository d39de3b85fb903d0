//! How long a look-up takes in an audit log of millions of events, and what its index costs.
//!
//! Prints one line of `name=value` pairs for each thing measured. A wrong answer is an error.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::{Parser, Subcommand};
use jomae_bench::{histogram::Histogram, keys::Failure, process::Usage};
use jomae_log::{
    Timestamp, compress_segment,
    event::Attribute,
    index::{Direction, Index, Query},
    layout,
};

/// Measures the look-up index of the audit log.
#[derive(Parser)]
struct Options {
    /// The directory of the log.
    #[arg(long)]
    dir: PathBuf,
    /// Events of the log.
    #[arg(long)]
    events: u64,
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand)]
enum Step {
    /// Writes the segments.
    Fill,
    /// Compresses all segments but the last.
    Compress,
    /// Makes the index.
    Index,
    /// Looks up.
    Query {
        /// Look-ups of each kind.
        #[arg(long, default_value_t = 2000)]
        count: u64,
    },
}

const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
const ACCOUNTS: u64 = 50;
const KEYS: u64 = 20_000;
const USERS: u64 = 1000;
const START_SECS: i64 = 1_767_225_600;
/// Events of one second.
const EVENTS_PER_SEC: u64 = 2;
const NAMES: [&str; 8] = [
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "DescribeKey",
    "AsymmetricSign",
    "ListKeys",
    "CreateAlias",
    "TagResource",
];
/// Events of a page.
const PAGE: usize = 20;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.step {
        Step::Fill => fill(&options.dir, options.events),
        Step::Compress => compress(&options.dir, options.events),
        Step::Index => index(&options.dir, options.events),
        Step::Query { count } => query(&options.dir, options.events, count),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audit-lookup: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A word that looks random and is the same for the same number (the finishing steps of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

fn id(kind: u64, number: u64) -> String {
    let bits = u128::from(mixed(kind << 56 | number)) << 64 | u128::from(mixed(number));
    uuid::Uuid::from_u128(bits).to_string()
}

/// What event number `number` is about.
struct Made {
    key: u64,
    user: u64,
    name: &'static str,
}

impl Made {
    fn new(number: u64) -> Self {
        let word = mixed(number);
        // A quarter of the keys takes half of the calls, and a sixteenth a quarter of them.
        let part = word >> 32 & 0xffff;
        let key = (part * part * KEYS) >> 32;
        let user = (word >> 16 & 0xffff) % (USERS / ACCOUNTS) * ACCOUNTS + key % ACCOUNTS;
        let name = usize::try_from(word & 0xff).ok().and_then(|at| NAMES.get((at * at * NAMES.len()) >> 16));
        Self { key, user, name: name.unwrap_or(&NAMES[0]) }
    }

    fn account(&self) -> String {
        format!("{}", 1_000_000_000_000_000 + self.key % ACCOUNTS)
    }
}

/// Writes segments as the service does.
fn fill(dir: &Path, events: u64) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    let keys: Vec<String> = (0..KEYS).map(|key| id(1, key)).collect();
    let mut segment: Option<(BufWriter<File>, u64)> = None;
    let mut bytes = 0;
    for number in 0..events {
        let made = Made::new(number);
        let (event_id, account, user) = (id(2, number), made.account(), made.user);
        let time = Timestamp(START_SECS + i64::try_from(number / EVENTS_PER_SEC)?);
        let line = format!(
            "{{\"eventId\":\"{event_id}\",\"eventVersion\":1,\"eventName\":\"{name}\",\
             \"eventSource\":\"kms.cn-hangzhou.example.internal\",\"eventType\":\"ApiCall\",\"eventCategory\":\"Management\",\
             \"eventRW\":\"{rw}\",\"eventTime\":\"{time}\",\"serviceName\":\"Kms\",\"apiVersion\":\"2016-01-20\",\
             \"requestId\":\"{event_id}\",\"acsRegion\":\"cn-hangzhou\",\"isGlobal\":false,\
             \"sourceIpAddress\":\"10.{}.{}.{}\",\
             \"userAgent\":\"AlibabaCloud (linux; x86_64) Python/3.11 Core/0.3.6 TeaDSL/1\",\
             \"userIdentity\":{{\"type\":\"ram-user\",\"accountId\":\"{account}\",\"principalId\":\"2{user:015}\",\
             \"userName\":\"user-{user}\",\"accessKeyId\":\"LTAI{user:020}\"}},\
             \"requestParameters\":{{\"KeyId\":\"{key}\",\"EncryptionContext\":\"{{\\\"tenant\\\":\\\"{user}\\\"}}\"}},\
             \"referencedResources\":{{\"ACS::KMS::Key\":[\"{key}\"]}}}}\n",
            user % 7,
            user % 113,
            user % 251,
            name = made.name,
            rw = if made.name == "CreateAlias" || made.name == "TagResource" { "Write" } else { "Read" },
            key = keys.get(usize::try_from(made.key)?).ok_or("no such key")?,
        );
        let (file, written) = match &mut segment {
            Some((file, written)) if *written < SEGMENT_BYTES => (file, written),
            segment => {
                let file = File::create_new(dir.join(format!("{number:020}.jsonl")))?;
                if let Some((mut full, _)) = segment.replace((BufWriter::with_capacity(1 << 20, file), 0)) {
                    full.flush()?;
                }
                let (file, written) = segment.as_mut().ok_or("no segment")?;
                (file, written)
            }
        };
        file.write_all(line.as_bytes())?;
        *written += line.len() as u64;
        bytes += line.len() as u64;
    }
    if let Some((mut file, _)) = segment {
        file.flush()?;
    }
    println!("events={events} log_bytes={bytes} bytes_per_event={}", bytes / events.max(1));
    Ok(())
}

fn compress(dir: &Path, events: u64) -> Result<(), Failure> {
    let segments = layout::segments(dir)?;
    let last = segments.last().map_or(0, |last| last.first);
    let start = Instant::now();
    for segment in segments.iter().filter(|segment| segment.first < last) {
        compress_segment(segment)?;
    }
    let elapsed_ns = start.elapsed().as_nanos();
    let cpu_us = Usage::of(std::process::id())?.cpu_us;
    let mut bytes = 0;
    for segment in layout::segments(dir)?.iter().filter(|segment| segment.is_compressed()) {
        bytes += fs::metadata(&segment.path)?.len();
    }
    if last == 0 {
        return Err(format!("a log of {events} events has one segment").into());
    }
    println!(
        "compressed_events={last} compressed_bytes={bytes} bytes_per_event={} ns_per_event={} cpu_ns_per_event={}",
        bytes / last,
        elapsed_ns / u128::from(last),
        cpu_us * 1000 / last
    );
    Ok(())
}

fn index(dir: &Path, events: u64) -> Result<(), Failure> {
    let start = Instant::now();
    let progress = Index::open(dir)?.catch_up()?;
    let elapsed_ms = start.elapsed().as_millis();
    if progress.events != events {
        return Err(format!("{} of {events} events are indexed", progress.events).into());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(dir.join("index"))? {
        bytes += entry?.metadata()?.len();
    }
    let usage = Usage::of(std::process::id())?;
    println!(
        "elapsed_ms={elapsed_ms} events_per_sec={} index_bytes={bytes} bytes_per_event={} cpu_us={} peak_kib={}",
        u128::from(events) * 1000 / elapsed_ms.max(1),
        bytes / events.max(1),
        usage.cpu_us,
        usage.peak_kib,
    );
    Ok(())
}

fn query(dir: &Path, events: u64, count: u64) -> Result<(), Failure> {
    let start = Instant::now();
    let index = Index::open(dir)?;
    let open_ms = start.elapsed().as_millis();
    index.catch_up()?;
    let rss_kib = Usage::of(std::process::id())?.rss_kib;
    println!("open_ms={open_ms} ready_ms={} rss_kib={rss_kib}", start.elapsed().as_millis());
    let kinds: [(&str, Kind); 6] = [
        ("key", |_, made| vec![(Attribute::ResourceName, id(1, made.key))]),
        ("event", |number, _| vec![(Attribute::EventId, id(2, number))]),
        ("user-and-name", |_, made| {
            vec![(Attribute::User, format!("user-{}", made.user)), (Attribute::EventName, made.name.into())]
        }),
        ("absent", |number, _| vec![(Attribute::ResourceName, id(3, number))]),
        ("absent-pair", |_, made| {
            // Both are in almost every block, and never in one event.
            let other = (made.user + ACCOUNTS) % USERS;
            vec![
                (Attribute::User, format!("user-{}", made.user)),
                (Attribute::EventAccessKeyId, format!("LTAI{other:020}")),
            ]
        }),
        ("all", |_, _| Vec::new()),
    ];
    for (label, attributes) in kinds {
        let (mut times, mut found) = (Histogram::default(), 0);
        for round in 0..count {
            let number = mixed(round + 1) % events;
            let made = Made::new(number);
            let query = Query {
                account: made.account(),
                from: Timestamp(0),
                to: Timestamp(START_SECS * 2),
                attributes: attributes(number, &made),
                direction: if round % 2 == 0 { Direction::Backward } else { Direction::Forward },
                limit: PAGE,
                after: None,
            };
            let start = Instant::now();
            let page = index.lookup(&query)?;
            times.record(u64::try_from(start.elapsed().as_nanos())?);
            found += page.events.len();
            let right = match label {
                "absent" | "absent-pair" => page.events.is_empty() && !page.more,
                "event" => page.events.len() == 1 && !page.more,
                "all" => page.events.len() == PAGE && page.more,
                _ => !page.events.is_empty(),
            };
            let has = |value: &str| page.events.iter().all(|event| event.line.contains(&format!("\"{value}\"")));
            if !right || !query.attributes.iter().all(|(_, value)| has(value)) {
                return Err(format!("a wrong answer to {query:?}: {page:?}").into());
            }
        }
        println!(
            "lookup={label} count={count} found={found} p50_us={} p99_us={} max_us={}",
            times.quantile_ns(500) / 1000,
            times.quantile_ns(990) / 1000,
            times.quantile_ns(1000) / 1000,
        );
    }
    let usage = Usage::of(std::process::id())?;
    println!("rss_kib={} peak_kib={}", usage.rss_kib, usage.peak_kib);
    Ok(())
}

/// What is looked up, from the number of an event and what it is about.
type Kind = fn(u64, &Made) -> Vec<(Attribute, String)>;
