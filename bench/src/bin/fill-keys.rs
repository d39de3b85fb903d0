//! Puts many keys into a data directory, past the API: a million calls would take too long.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
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
    /// Where to write the ids of the keys, one in a line.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Keys in one commit, which may have 120 writes.
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
    let maker = Arc::new(Maker::open(&options.data_dir, None).await?);
    let left = Arc::new(AtomicU64::new(options.count));
    let out = options.out.as_ref().map(File::create).transpose()?;
    let out = Arc::new(Mutex::new(out.map(BufWriter::new)));
    let mut tasks = JoinSet::new();
    for _ in 0..COMMITTERS {
        let (maker, left, out) = (maker.clone(), left.clone(), out.clone());
        tasks.spawn(async move {
            let take = |left: u64| (left > 0).then(|| left.saturating_sub(KEYS_PER_COMMIT));
            while let Ok(before) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                let (mut ids, mut writes) = (String::new(), Vec::new());
                for _ in 0..before.min(KEYS_PER_COMMIT) {
                    let key = maker.new_key().await?;
                    ids.push_str(key.id.as_str());
                    ids.push('\n');
                    writes.extend(key.writes);
                }
                match maker.store.commit(Commit { expect: Vec::new(), writes }).await? {
                    Committed::Done(_) => {}
                    ended => return Err(format!("a commit ended with {ended:?}").into()),
                }
                if let Some(out) = &mut *out.lock().unwrap_or_else(PoisonError::into_inner) {
                    out.write_all(ids.as_bytes())?;
                }
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    if let Some(out) = &mut *out.lock().unwrap_or_else(PoisonError::into_inner) {
        out.flush()?;
    }
    Ok(())
}
