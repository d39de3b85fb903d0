//! The neighbour: calls at a fixed rate, each timed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::Version;
use jomae_bench::histogram::Histogram;
use tokio::{task::JoinSet, time::sleep};

use crate::calls::{Call, Caller, Failure, Target, whole};

/// 32 random bytes in Base64.
const PLAINTEXT: &str = "WXtvUsC+jhO4c4WJo4DB1uUc4CmjlSGJA+68Pbxh/Q0=";
/// Calls of each connection that are not measured.
const WARM_UP_CALLS: u32 = 20;

/// How often and how long to call.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Of all connections together.
    pub per_sec: u32,
    pub connections: u32,
    pub lasts: Duration,
}

/// Calls at that pace; an error if one answer is not good.
pub async fn run(target: Target, caller: Caller, key: String, pace: Pace) -> Result<String, Failure> {
    let shared = Arc::new((target, caller, key));
    let mut tasks = JoinSet::new();
    for number in 0..pace.connections {
        let shared = shared.clone();
        tasks.spawn(async move {
            let (target, caller, key) = &*shared;
            connection(target, caller, key, pace, number).await
        });
    }
    let mut all = Histogram::default();
    while let Some(ended) = tasks.join_next().await {
        all.merge(&ended??);
    }
    let us = |per_mille| all.quantile_ns(per_mille).div_ceil(1000);
    Ok(format!("requests={} p50_us={} p99_us={} max_us={}", all.len(), us(500), us(990), us(1000)))
}

async fn connection(
    target: &Target,
    caller: &Caller,
    key: &str,
    pace: Pace,
    number: u32,
) -> Result<Histogram, Failure> {
    let mut send = target.http1().await?;
    let mut latencies = Histogram::default();
    let every = Duration::from_secs(1) * pace.connections / pace.per_sec;
    // The connections take turns.
    let began = Instant::now() + every * number / pace.connections;
    let form = [("KeyId", key), ("Plaintext", PLAINTEXT)];
    for at in 0.. {
        let due = began + every * at;
        if due.duration_since(began) >= pace.lasts + every * WARM_UP_CALLS {
            break;
        }
        let wait = due.saturating_duration_since(Instant::now());
        sleep(wait).await;
        let request = target.signed(Version::HTTP_11, caller, &Call::new("Encrypt", &form))?;
        // A call that could not be sent in time because the one before took so long has waited since it was due; how
        // late a timer rings is not the server's doing.
        let started = if wait.is_zero() { due } else { Instant::now() };
        let (status, body) = whole(send.send_request(request).await?).await?;
        let elapsed_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if status != 200 {
            return Err(format!("the neighbour was refused: {status} {}", String::from_utf8_lossy(&body)).into());
        }
        if at >= WARM_UP_CALLS {
            latencies.record(elapsed_ns);
        }
        send.ready().await?;
    }
    Ok(latencies)
}
