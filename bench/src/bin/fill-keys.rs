//! Puts many keys into a data directory, past the API: a million calls would take too long.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use clap::Parser;
use jomae_bench::keys::{Failure, Maker, WRITES_PER_KEY};
use jomae_core::store::{Commit, Committed, Store as _};
use tokio::task::JoinSet;

/// Puts keys into a data directory that no server has open; makes the directory if it is not there.
#[derive(Parser)]
struct Options {
    #[arg(long)]
    data_dir: PathBuf,
    #[arg(long)]
    count: u64,
}

/// Keys in one commit, which may have 128 writes.
const KEYS_PER_COMMIT: u64 = 120 / WRITES_PER_KEY as u64;
/// Commits that wait at a time, to share a sync.
const COMMITTERS: usize = 32;

#[tokio::main]
async fn main() -> ExitCode {
    match fill(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fill-keys: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn fill(options: &Options) -> Result<(), Failure> {
    let maker = Arc::new(Maker::open(&options.data_dir).await?);
    let left = Arc::new(AtomicU64::new(options.count));
    let mut tasks = JoinSet::new();
    for _ in 0..COMMITTERS {
        let (maker, left) = (maker.clone(), left.clone());
        tasks.spawn(async move {
            let take = |left: u64| (left > 0).then(|| left.saturating_sub(KEYS_PER_COMMIT));
            while let Ok(before) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                let mut writes = Vec::new();
                for _ in 0..before.min(KEYS_PER_COMMIT) {
                    writes.extend(maker.new_key().await?);
                }
                match maker.store.commit(Commit { expect: Vec::new(), writes }).await? {
                    Committed::Done(_) => {}
                    ended => return Err(format!("a commit ended with {ended:?}").into()),
                }
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
