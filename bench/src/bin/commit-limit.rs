//! How many keys a second the store alone can take: commits of the size that `CreateKey` makes, without a service.
//!
//! Prints one line of `name=value` pairs, as `load` does.

use std::{
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use jomae_bench::keys::{Failure, Maker, new_id};
use jomae_core::store::{Commit, Committed, Path, Store, Write};
use jomae_server::gateway;
use tokio::task::JoinSet;

/// Commits records of the size of a new key and its audit event, from many tasks at once.
#[derive(Parser)]
struct Options {
    /// A directory of its own.
    #[arg(long)]
    data_dir: PathBuf,
    /// Configuration of the service, if the store is in etcd.
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long, default_value_t = 64)]
    committers: u32,
    /// Without the hash over all records. The store cannot be used afterwards.
    #[arg(long)]
    bare: bool,
    /// Length of the audit event of `CreateKey`, in bytes.
    #[arg(long)]
    event_bytes: usize,
    /// How long to measure.
    #[arg(long, default_value_t = 5000)]
    duration_ms: u64,
}

/// How long to commit before measuring.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long to wait until the hash is kept.
const COUNTING_MAX: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    // As many threads as the server has on one core.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(measure(&Options::parse()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("commit-limit: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let maker = Maker::open(&options.data_dir, options.config.as_deref()).await?;
    let mut writes = maker.new_key().await?.writes.to_vec();
    let event = Path::new("sys/outbox/00000000-0000-0000-0000-000000000000");
    let sealed = maker.service.kms.vault.keyring().seal_record(event.as_str(), &vec![b'x'; options.event_bytes])?;
    writes.push(Write::Put(event, sealed));
    let writes = Arc::new(writes);
    let store: Arc<dyn Store> = if options.bare { maker.bare.clone() } else { maker.store.clone() };
    let waiting = Instant::now();
    // Of several nodes, one raises the floor of stored forms.
    while !options.bare && !maker.store.is_counting()? {
        if waiting.elapsed() > COUNTING_MAX {
            return Err("no hash is kept".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (done, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for _ in 0..options.committers {
        let (writes, store, done, over) = (writes.clone(), store.clone(), done.clone(), over.clone());
        tasks.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                match store.commit(elsewhere(&writes)).await? {
                    Committed::Done(_) => done.fetch_add(1, Ordering::Relaxed),
                    ended => return Err(format!("a commit ended with {ended:?}").into()),
                };
            }
            Ok::<_, Failure>(())
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let count = || (done.load(Ordering::Relaxed), maker.sqlite.as_ref().map(|store| store.stats().transactions));
    let (before, started) = (count(), Instant::now());
    tokio::time::sleep(Duration::from_millis(options.duration_ms)).await;
    let (after, elapsed_ms) = (count(), started.elapsed().as_millis());
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let commits = after.0 - before.0;
    writeln!(
        std::io::stdout(),
        "requests={commits} requests_per_sec={} transactions={}",
        u128::from(commits) * 1000 / elapsed_ms.max(1),
        // Elsewhere each commit is one.
        after.1.zip(before.1).map_or(commits, |(after, before)| after - before),
    )?;
    Ok(())
}

/// The same writes at paths of the same length that nobody has written yet, in the order of new ids.
fn elsewhere(writes: &[Write]) -> Commit {
    let id = new_id(gateway::now());
    let mut commit = Commit::default();
    for write in writes {
        let Write::Put(path, value) = write else { continue };
        let path = with_id(path.as_str(), &id);
        // As CreateKey does: all of them stand under names that were drawn.
        commit.expect.push((path.clone(), None));
        commit.writes.push(Write::Put(path, value.clone()));
    }
    commit
}

/// The path with the first UUID in it replaced.
fn with_id(path: &str, id: &str) -> Path {
    let segments = path.split('/').map(|segment| if segment.len() == id.len() { id } else { segment });
    Path::new(segments.collect::<Vec<_>>().join("/"))
}
