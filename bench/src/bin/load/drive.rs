//! Keeps connections busy and measures.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jomae_bench::{histogram::Histogram, process::Usage};
use tokio::{
    sync::{Mutex as Turns, Notify},
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};

use crate::{
    request::{Call, Date, Signer, Work},
    target::Target,
    wire::{Answer, Connection},
};

/// Why it was given up.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How long a server may take to finish the last requests.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// How long idle connections are left alone before the server's memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// How to load.
pub struct Plan {
    pub connections: u16,
    /// Connections beside these, which have had one answer and are kept open.
    pub idle: u16,
    /// The time between two requests, of all connections together, whenever the answers come; none: each connection
    /// waits for its answer only.
    pub every: Option<Duration>,
    /// How long to send before measuring.
    pub warm_up: Duration,
    pub end: End,
    pub server_pid: u32,
}

/// When the measurement ends.
pub enum End {
    After(Duration),
    Requests(u64),
}

/// What was measured.
pub struct Measured {
    pub latencies: Histogram,
    pub requests: u64,
    /// Answers other than 200.
    pub refused: u64,
    pub first_refusal: Option<String>,
    elapsed: Duration,
    body_bytes: u64,
    /// What the idle connections take of the server's memory, all together.
    idle_kib: u64,
    before: Usage,
    after: Usage,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu_us = self.after.cpu_us - self.before.cpu_us;
        let us = |per_mille| self.latencies.quantile_ns(per_mille).div_ceil(1000);
        let elapsed_us = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
        write!(
            f,
            "requests={} refused={} elapsed_ms={} requests_per_sec={} p50_us={} p99_us={} p999_us={} ",
            self.requests,
            self.refused,
            elapsed_us / 1000,
            self.requests * 1_000_000 / elapsed_us,
            us(500),
            us(990),
            us(999),
        )?;
        write!(
            f,
            "cpu_ns_per_request={} cpu_percent={} rss_before_kib={} rss_after_kib={} peak_kib={} body_bytes={} idle_kib={}",
            cpu_us * 1000 / self.requests.max(1),
            cpu_us * 100 / elapsed_us,
            self.before.rss_kib,
            self.after.rss_kib,
            self.after.peak_kib,
            self.body_bytes,
            self.idle_kib,
        )
    }
}

/// What the connections do now.
#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    /// Requests answered while measuring.
    answered: AtomicU64,
    answered_max: u64,
    refused: AtomicU64,
    first_refusal: Mutex<Option<String>>,
    body_bytes: AtomicU64,
    /// The wanted number was answered, or a connection broke.
    over: Notify,
    pace: Option<Pace>,
}

/// Requests at fixed intervals.
struct Pace {
    every: Duration,
    /// When the next one is due.
    due: Turns<Instant>,
}

impl Pace {
    fn of(every: Duration) -> Self {
        Self { every, due: Turns::new(Instant::now()) }
    }

    /// Waits until the next request is due; returns when it was, which is earlier if no connection was free then.
    async fn turn(&self) -> Instant {
        let mut next = self.due.lock().await;
        let due = *next;
        *next += self.every;
        // A timer would ring up to a millisecond late.
        while Instant::now() < due {
            yield_now().await;
        }
        due
    }
}

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Loads the target as planned.
pub async fn measure(target: Target, work: Work, plan: &Plan) -> Result<Measured, Failure> {
    let answered_max = match plan.end {
        End::After(_) => u64::MAX,
        End::Requests(requests) => requests,
    };
    let work = Arc::new(work);
    let without_idle = Usage::of(plan.server_pid)?;
    let mut idle = open_idle(&target, &work, plan.idle).await?;
    let with_idle = Usage::of(plan.server_pid)?;

    let pace = plan.every.map(Pace::of);
    let shared = Arc::new(Shared { phase: AtomicU8::new(WARMING_UP), answered_max, pace, ..Shared::default() });
    let mut connections = JoinSet::new();
    for _ in 0..plan.connections {
        let connection = Connection::open(&target).await?;
        connections.spawn(keep_busy(connection, work.clone(), shared.clone()));
    }

    tokio::spawn(stay_awake(shared.clone()));
    let broke = timeout(plan.warm_up, shared.over.notified()).await.is_ok();
    let (before, started) = (Usage::of(plan.server_pid)?, Instant::now());
    if !broke {
        shared.phase.store(MEASURING, Ordering::Relaxed);
        match plan.end {
            // Running out of time is how this ends.
            End::After(duration) => drop(timeout(duration, shared.over.notified()).await),
            End::Requests(_) => shared.over.notified().await,
        }
    }
    let (after, elapsed) = (Usage::of(plan.server_pid)?, started.elapsed());
    let requests = shared.answered.load(Ordering::Relaxed);
    shared.phase.store(OVER, Ordering::Relaxed);

    let mut latencies = Histogram::default();
    while let Some(ended) = timeout(DRAIN_MAX, connections.join_next()).await? {
        latencies.merge(&ended??);
    }
    for connection in &mut idle {
        send_once(connection, &work).await?;
    }
    let first_refusal = shared.first_refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(Measured {
        latencies,
        requests,
        refused: shared.refused.load(Ordering::Relaxed),
        first_refusal,
        elapsed,
        body_bytes: shared.body_bytes.load(Ordering::Relaxed),
        idle_kib: with_idle.rss_kib.saturating_sub(without_idle.rss_kib),
        before,
        after,
    })
}

/// Opens connections, each of which gets one answer: strangers may not keep many.
async fn open_idle(target: &Target, work: &Work, count: u16) -> Result<Vec<Connection>, Failure> {
    let mut idle = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let mut connection = Connection::open(target).await?;
        send_once(&mut connection, work).await?;
        idle.push(connection);
    }
    if count > 0 {
        sleep(SETTLE).await;
    }
    Ok(idle)
}

/// One request, which must be answered well.
async fn send_once(connection: &mut Connection, work: &Work) -> Result<(), Failure> {
    let mut request = Vec::new();
    let expected = work.next(&mut Date::default(), &mut request)?;
    holds(&connection.send(&request).await?, expected)
}

/// Polls without ever sleeping.
///
/// Waking a sleeping core costs the one that wakes it up to 10 µs in a virtual machine. A real client's network card
/// would bear that; here the server would, in proportion to how often the client has nothing to do.
async fn stay_awake(shared: Arc<Shared>) {
    while shared.phase.load(Ordering::Relaxed) != OVER {
        yield_now().await;
    }
}

async fn keep_busy(mut connection: Connection, work: Arc<Work>, shared: Arc<Shared>) -> Result<Histogram, Failure> {
    let result = send_until_over(&mut connection, &work, &shared).await;
    if result.is_err() {
        shared.over.notify_one();
    }
    result
}

async fn send_until_over(connection: &mut Connection, work: &Work, shared: &Shared) -> Result<Histogram, Failure> {
    let mut latencies = Histogram::default();
    let (mut request, mut date) = (Vec::new(), Date::default());
    let mut looked_into = false;
    loop {
        let phase = shared.phase.load(Ordering::Relaxed);
        if phase == OVER {
            return Ok(latencies);
        }
        let expected = work.next(&mut date, &mut request)?;
        let started = match &shared.pace {
            Some(pace) => pace.turn().await,
            None => Instant::now(),
        };
        let answer = connection.send(&request).await?;
        let elapsed_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if answer.status != 200 {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            let mut first = shared.first_refusal.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| answer.text());
        } else if !looked_into {
            // The first answer of each connection is enough: reading all would cost the client more than sending.
            looked_into = true;
            shared.body_bytes.store(answer.body.len() as u64, Ordering::Relaxed);
            holds(&answer, expected)?;
        }
        if phase == MEASURING {
            latencies.record(elapsed_ns);
            if shared.answered.fetch_add(1, Ordering::Relaxed) + 1 == shared.answered_max {
                shared.over.notify_one();
            }
        }
    }
}

/// An error if the answer is not 200 with `expected` in it.
fn holds(answer: &Answer<'_>, expected: &str) -> Result<(), Failure> {
    let found = answer.status == 200 && String::from_utf8_lossy(answer.body).contains(expected);
    if found { Ok(()) } else { Err(format!("no {expected} in: {}", answer.text()).into()) }
}

/// Creates keys, so many at once as there are connections; returns their ids.
pub async fn create_keys(
    target: Target,
    signer: Signer,
    connections: u16,
    count: usize,
    spec: &str,
) -> Result<Vec<String>, Failure> {
    let left = Arc::new(AtomicU64::new(count as u64));
    let signer = Arc::new(signer);
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(&target).await?;
        let (left, signer) = (left.clone(), signer.clone());
        let call = Call::CreateKey(spec.to_owned());
        tasks.spawn(async move {
            let (mut ids, mut request, mut date) = (Vec::new(), Vec::new(), Date::default());
            while left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                signer.write(&call, &mut date, &mut request)?;
                let answer = connection.send(&request).await?;
                ids.push(member(&answer, &call, "/KeyMetadata/KeyId")?);
            }
            Ok::<_, Failure>(ids)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(ids) = tasks.join_next().await {
        all.append(&mut ids??);
    }
    Ok(all)
}

/// Encrypts once under each key; returns the calls that decrypt it again.
pub async fn ciphertexts(target: &Target, signer: &Signer, keys: Vec<String>) -> Result<Vec<Call>, Failure> {
    let mut connection = Connection::open(target).await?;
    let (mut calls, mut request, mut date) = (Vec::new(), Vec::new(), Date::default());
    for key in keys {
        let call = Call::Encrypt(key);
        signer.write(&call, &mut date, &mut request)?;
        let answer = connection.send(&request).await?;
        calls.push(Call::Decrypt(member(&answer, &call, "/CiphertextBlob")?));
    }
    Ok(calls)
}

/// Asks for version and spec of each key; returns the calls that sign with it.
pub async fn signatures(target: &Target, signer: &Signer, keys: Vec<String>) -> Result<Vec<Call>, Failure> {
    let mut connection = Connection::open(target).await?;
    let (mut calls, mut request, mut date) = (Vec::new(), Vec::new(), Date::default());
    for key in keys {
        let call = Call::Describe(key.clone());
        signer.write(&call, &mut date, &mut request)?;
        let answer = connection.send(&request).await?;
        let version = member(&answer, &call, "/KeyMetadata/PrimaryKeyVersion")?;
        let algorithm = match member(&answer, &call, "/KeyMetadata/KeySpec")?.as_str() {
            "EC_P256" => "ECDSA_SHA_256",
            "RSA_2048" => "RSA_PSS_SHA_256",
            spec => return Err(format!("signing with {spec} is not measured").into()),
        };
        calls.push(Call::Sign { key, version, algorithm });
    }
    Ok(calls)
}

/// Makes calls one after the other.
pub struct Caller<'c> {
    connection: Connection,
    signer: &'c Signer,
}

impl<'c> Caller<'c> {
    pub async fn new(target: &Target, signer: &'c Signer) -> Result<Self, Failure> {
        Ok(Self { connection: Connection::open(target).await?, signer })
    }

    /// Makes a call that must succeed; returns the texts at JSON pointers (RFC 6901) of its answer.
    pub async fn call<const N: usize>(&mut self, call: &Call, pointers: [&str; N]) -> Result<[String; N], Failure> {
        let mut request = Vec::new();
        self.signer.write(call, &mut Date::default(), &mut request)?;
        let answer = self.connection.send(&request).await?;
        holds(&answer, call.expected())?;
        let mut texts = [const { String::new() }; N];
        for (text, pointer) in texts.iter_mut().zip(pointers) {
            *text = member(&answer, call, pointer)?;
        }
        Ok(texts)
    }
}

/// The text at a JSON pointer (RFC 6901) of a good answer.
fn member(answer: &Answer<'_>, call: &Call, pointer: &str) -> Result<String, Failure> {
    holds(answer, call.expected())?;
    let value: serde_json::Value = serde_json::from_slice(answer.body)?;
    let text = value.pointer(pointer).and_then(serde_json::Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("no {pointer} in: {}", answer.text()).into())
}
