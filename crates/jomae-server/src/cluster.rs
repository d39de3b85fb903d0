//! This node among several: its clock, and the tasks that renew its lease.

use std::{path::Path, sync::Arc, time::Duration};

use jomae_core::{
    cluster::{
        Cluster, Confirmed, Host,
        machine::{CLOCKS_APART_SECS_MAX, NotServing, Now, Timing},
        record::{self, NodeName, NodeRecord},
    },
    error::Fault,
    keyring::Keyring,
    store::{SCAN_LIMIT_MAX, Store},
};
use prometheus_client::metrics::{
    counter::Counter,
    histogram::{Histogram, exponential_buckets},
};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{config::Config, files, gateway};

/// How often the lease is looked at.
const TICK: Duration = Duration::from_millis(100);
/// The random number of the data directory.
pub(crate) const HOME_FILE: &str = "node-id";
const HOME_BYTES_MAX: usize = 64;

/// Why this node cannot be one of the cluster; one line.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("cannot use {}: {source}", path.display())]
    Io { path: std::path::PathBuf, source: std::io::Error },
    #[error("{} does not hold 32 hexadecimal digits; it is made anew if it is not there", .0.display())]
    Home(std::path::PathBuf),
    #[error("cluster.node is not the name of a node")]
    Name,
    #[error("the name {0} is in use by a node on another machine: give this one another cluster.node")]
    NameTaken(NodeName),
    #[error(
        "the clock of this machine is {ahead_secs} s away from that of node {node}: set it right (NTP); \
         {CLOCKS_APART_SECS_MAX} s are allowed"
    )]
    Clock { node: NodeName, ahead_secs: i64 },
    #[error("node {node} has cluster.lease_secs = {theirs}, this one {ours}: all nodes must have the same")]
    Term { node: NodeName, theirs: u64, ours: u64 },
    #[error("the cluster has a record that cannot be read: {0}")]
    Unreadable(String),
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// The time, for leases: a clock that goes on while the machine sleeps, and that nobody sets.
pub fn now() -> Now {
    let since_boot = clock_gettime(ClockId::Boottime);
    let secs = u64::try_from(since_boot.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(since_boot.tv_nsec).unwrap_or_default();
    Now { steady_ns: secs.saturating_mul(1_000_000_000).saturating_add(nanos), wall_secs: gateway::now().0 }
}

/// What the operator sees of barriers.
#[derive(Clone, Debug)]
pub struct Barriers {
    /// Seconds until a change that takes a right away held on every node.
    pub seconds: Histogram,
    /// Those that not every node has confirmed in time.
    pub in_doubt: Counter,
}

struct Process {
    woken: Arc<Notify>,
    barriers: Barriers,
}

impl Host for Process {
    fn now(&self) -> Now {
        now()
    }

    fn wake(&self) {
        self.woken.notify_one();
    }

    fn confirmed(&self, confirmed: Confirmed) {
        match confirmed {
            Confirmed::Everywhere { waited_ns } => {
                self.barriers.seconds.observe(Duration::from_nanos(waited_ns).as_secs_f64());
            }
            Confirmed::InDoubt => {
                self.barriers.in_doubt.inc();
            }
        }
    }
}

/// The nodes of a store that live: their records go on changing. Takes the time of a lease if there are records at all;
/// those of nodes that were killed stay behind.
pub(crate) async fn live_nodes(store: &dyn Store, lease_secs: u64) -> Result<Vec<String>, Fault> {
    let nodes = || store.scan(record::NODES, None, SCAN_LIMIT_MAX);
    let before = nodes()?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    sleep(Duration::from_nanos(Timing::of_secs(lease_secs).silence_ns())).await;
    let live = nodes()?.into_iter().filter(|node| !before.contains(node));
    Ok(live.map(|(path, _)| path.as_str().trim_start_matches(record::NODES).to_owned()).collect())
}

/// Renews the lease until it is dropped.
pub struct Keeper {
    cluster: Arc<Cluster>,
    pub barriers: Barriers,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Keeper {
    /// Leaves the cluster: others need not wait for this node's lease to run out.
    pub async fn leave(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Err(fault) = self.cluster.leave().await {
            tracing::warn!(cause = %fault, "cannot tell the cluster that this node leaves; its lease will run out");
        }
    }
}

/// Takes part in the cluster of a store. Returns when this node has its lease, or has tried for long.
pub async fn join(
    config: &Config,
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
) -> Result<(Arc<Cluster>, Keeper), JoinError> {
    let name = NodeName::new(&config.cluster.node).ok_or(JoinError::Name)?;
    let mut record = NodeRecord::new(
        hex::encode(jomae_crypto::rng::public_array::<16>()),
        home(&config.data_dir.join(HOME_FILE))?,
        config.cluster.lease_secs,
    );
    record.address.clone_from(&config.cluster.address);
    let timing = Timing::of_secs(config.cluster.lease_secs);
    let woken = Arc::new(Notify::new());
    let barriers =
        Barriers { seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)), in_doubt: Counter::default() };
    let process = Process { woken: Arc::clone(&woken), barriers: barriers.clone() };
    let home = record.home.clone();
    let cluster = Cluster::join(store, keyring, (name, record), timing, Box::new(process))?;
    check_others(&cluster, config, &home).await?;
    let keeper = Keeper {
        tasks: [tokio::spawn(renew(Arc::clone(&cluster), woken)), tokio::spawn(expire(Arc::clone(&cluster)))],
        cluster: Arc::clone(&cluster),
        barriers,
    };
    wait_for_lease(&cluster, timing).await?;
    Ok((cluster, keeper))
}

/// Before anything is written: whether this node fits in with those that live.
async fn check_others(cluster: &Cluster, config: &Config, home: &str) -> Result<(), JoinError> {
    if let Some(why) = cluster.unreadable() {
        return Err(JoinError::Unreadable(why));
    }
    let beats = |cluster: &Cluster| {
        cluster.members().into_iter().map(|member| (member.name.clone(), member)).collect::<Vec<_>>()
    };
    let before = beats(cluster);
    if before.is_empty() {
        return Ok(());
    }
    // Who lives says so meanwhile.
    sleep(Duration::from_nanos(cluster.timing().beat_every_ns()).mul_f32(1.5)).await;
    let wall_secs = now().wall_secs;
    for (name, member) in beats(cluster) {
        let lives = before.iter().all(|(other, old)| *other != name || old.record.beat != member.record.beat);
        if !lives {
            continue;
        }
        if name == *cluster.name() && member.record.home != home {
            return Err(JoinError::NameTaken(name));
        }
        let (theirs, ours) = (member.record.term_secs, config.cluster.lease_secs);
        if theirs != ours {
            return Err(JoinError::Term { node: name, theirs, ours });
        }
        let ahead_secs = wall_secs - member.record.wall_secs;
        if ahead_secs.abs() > CLOCKS_APART_SECS_MAX {
            return Err(JoinError::Clock { node: name, ahead_secs });
        }
    }
    Ok(())
}

async fn wait_for_lease(cluster: &Cluster, timing: Timing) -> Result<(), JoinError> {
    let tries = 2 * timing.silence_ns() / u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
    for _ in 0..tries {
        match cluster.serving() {
            Ok(()) => return Ok(()),
            Err(_) => sleep(TICK).await,
        }
    }
    // One that was dead would be silent by now.
    if cluster.serving() == Err(NotServing::NameTaken) {
        return Err(JoinError::NameTaken(cluster.name().clone()));
    }
    tracing::warn!("this node has no lease yet; it refuses calls until it has one");
    Ok(())
}

async fn renew(cluster: Arc<Cluster>, woken: Arc<Notify>) {
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let patience = Duration::from_nanos(cluster.timing().beat_every_ns());
    let (mut failing, mut serving, mut worker) = (false, true, None);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = woken.notified() => {}
        }
        // What the store does not answer goes on without us, and the next try may be quicker.
        let ticked = timeout(patience, cluster.tick()).await;
        let failed = match ticked {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("the store does not answer".to_owned()),
        };
        if let Some(cause) = failed.as_ref().filter(|_| !failing) {
            tracing::warn!(cause, "cannot renew this node's lease; trying on");
        }
        failing = failed.is_some();
        let state = cluster.serving();
        if state.is_ok() != serving {
            serving = state.is_ok();
            match state {
                Ok(()) => tracing::info!(node = %cluster.name(), "this node has its lease and serves"),
                Err(why) => tracing::error!(%why, "this node serves nobody"),
            }
        }
        let now_worker = cluster.members().into_iter().find(|member| member.is_worker).map(|member| member.name);
        if now_worker != worker {
            if let Some(name) = &now_worker {
                tracing::info!(node = %name, "a node has taken over the work that is done once");
            }
            worker = now_worker;
        }
    }
}

async fn expire(cluster: Arc<Cluster>) {
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        cluster.expire();
    }
}

/// The random number of the data directory, made if it is not there.
fn home(path: &Path) -> Result<String, JoinError> {
    let io = |source| JoinError::Io { path: path.to_owned(), source };
    match files::read_limited(path, HOME_BYTES_MAX) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            let valid = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if valid { Ok(text) } else { Err(JoinError::Home(path.to_owned())) }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = hex::encode(jomae_crypto::rng::public_array::<16>());
            files::write_private(path, text.as_bytes()).map_err(io)?;
            Ok(text)
        }
        Err(error) => Err(io(error)),
    }
}
