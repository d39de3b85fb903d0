//! What it costs that callers wait for the disk: how many calls a second go through a log, with and without
//! `strict`, beside work as that of a server and its clients.
//!
//! `durability DIR SECONDS CONNECTIONS SERVER_NS CLIENT_NS`: as many connections as that have one call each under way.
//! A thread is busy for `SERVER_NS` for each call, another for `CLIENT_NS`. Alternates between the modes, and prints
//! one line for each run.

use std::{
    hint::black_box,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    secret::SecretBytes,
};
use jomae_log::{
    AppendStatus, Log, Settings, Signer, SyncCallback, Timestamp, Trust,
    tail::{self, TailKey},
};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 5;
const EVENT_BYTES: usize = 700;

fn work(turns: u64) {
    let mut word = 1u64;
    for turn in 0..turns {
        word = black_box(word.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ turn);
    }
}

/// Turns of [`work`] that take a microsecond.
fn turns_per_us() -> u64 {
    let best = (0..20).map(|_| {
        let start = Instant::now();
        work(200_000);
        start.elapsed()
    });
    let nanos = best.min().map_or(1, |best| best.as_nanos().max(1));
    u64::try_from(200_000_000 / nanos).unwrap_or(1)
}

/// Calls a second, their times, callers of a sync.
fn run(dir: &Path, strict: bool, secs: u64, connections: usize, server: u64, client: u64) -> Result<(), Failure> {
    let settings = Settings {
        state: jomae_log::StateSource::default(),
        dir: dir.to_owned(),
        strict,
        segment_bytes_max: 64 * 1024 * 1024,
        rotate_daily: false,
        checkpoint_every: Duration::from_secs(1),
        retention_days: 0,
        compress_closed: false,
        archive: None,
        clock: || Timestamp(1_800_000_000),
    };
    let name = "durability.example/log";
    let signer = Signer::new(name, PrivateKey::generate(AsymSpec::Ed25519)?)?;
    let tail_key = TailKey::new(name, Arc::new(SecretBytes::random(tail::KEY_BYTES)));
    let log = Arc::new(Log::open(settings, signer, Trust { known: None, tail_key })?);
    let event = format!("{{\"eventId\":\"{}\"}}", "x".repeat(EVENT_BYTES));
    let (to_server, requests) = mpsc::channel::<Instant>();
    let (to_client, answers) = mpsc::channel::<Instant>();
    for _ in 0..connections {
        to_server.send(Instant::now())?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let client = {
        let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
        std::thread::Builder::new().name("client".into()).spawn(move || {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed)
                && let Ok(since) = answers.recv()
            {
                times.push(since.elapsed());
                calls.fetch_add(1, Ordering::Relaxed);
                work(client);
                if to_server.send(Instant::now()).is_err() {
                    break;
                }
            }
            times
        })?
    };
    let server = {
        let (log, stop) = (Arc::clone(&log), Arc::clone(&stop));
        std::thread::Builder::new().name("server".into()).spawn(move || {
            while !stop.load(Ordering::Relaxed)
                && let Ok(since) = requests.recv()
            {
                work(server);
                let callback = || -> SyncCallback {
                    let to_client = to_client.clone();
                    Box::new(move |_| {
                        let _ = to_client.send(since);
                    })
                };
                if log.append(event.as_bytes(), None, false, callback).status == AppendStatus::Buffered {
                    let _ = to_client.send(since);
                }
            }
        })?
    };
    std::thread::sleep(Duration::from_millis(300));
    let (before, syncs, start) = (calls.load(Ordering::Relaxed), log.counts().syncs, Instant::now());
    std::thread::sleep(Duration::from_secs(secs));
    let (done, elapsed) = (calls.load(Ordering::Relaxed) - before, start.elapsed());
    let syncs = log.counts().syncs - syncs;
    stop.store(true, Ordering::Relaxed);
    let mut times = client.join().map_err(|_| "the client failed")?;
    let _ = server.join();
    log.close();
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0, Duration::as_micros);
    let rate = u128::from(done) * 1_000_000 / elapsed.as_micros();
    println!(
        "strict={strict} calls_per_sec={rate} p50_us={} p99_us={} calls_per_sync={} us_per_sync={}",
        at(50),
        at(99),
        done / syncs.max(1),
        elapsed.as_micros() / u128::from(syncs.max(1)),
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, secs, connections, server, client] = arguments.as_slice() else {
        return Err("usage: durability DIR SECONDS CONNECTIONS SERVER_NS CLIENT_NS".into());
    };
    let per_us = turns_per_us();
    let (server, client) = (server.parse::<u64>()? * per_us / 1000, client.parse::<u64>()? * per_us / 1000);
    for round in 0..2 * ROUNDS {
        let dir = Path::new(dir).join(format!("log-{round}"));
        jomae_files::make_dir(&dir)?;
        run(&dir, round % 2 == 1, secs.parse()?, connections.parse()?, server, client)?;
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}
