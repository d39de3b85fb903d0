//! Telling others what the log has signed, so that no later log can deny it: a file, on another mount for instance,
//! and an HTTP endpoint.
//!
//! Each place has a task of its own and gets the newest checkpoint; what comes while it is busy is passed over, since
//! a later checkpoint covers all that an earlier one does. Nothing here holds up the log.

use std::{
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};

use crate::files;

/// The newest note, as the log hands it out.
pub type Newest = watch::Receiver<Option<Arc<str>>>;

/// An endpoint must have answered after this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What failed is tried again after this, or with the next checkpoint.
const RETRY: Duration = Duration::from_secs(5);
/// So much of the end of a file is looked at, in bytes.
const END_BYTES: u64 = 64 * 1024;

/// Where checkpoints go.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub file: Option<PathBuf>,
    /// `http` or `https`.
    pub url: Option<String>,
}

/// What became of them.
#[derive(Default)]
pub struct WitnessStats {
    pub sent: AtomicU64,
    pub failures: AtomicU64,
}

/// The tasks; they end after the log.
pub struct Witnesses(Vec<oneshot::Receiver<()>>);

impl Witnesses {
    /// Begins to send. Must be called within a runtime.
    pub fn start(places: &Places, newest: &Newest, stats: &Arc<WitnessStats>) -> io::Result<Self> {
        let mut tasks = Vec::new();
        if let Some(path) = places.file.clone() {
            let (done, ended) = oneshot::channel();
            let (newest, stats, runtime) = (newest.clone(), Arc::clone(stats), Handle::current());
            // A mount that hangs holds up this thread alone.
            std::thread::Builder::new().name("audit-witness".into()).spawn(move || {
                runtime.block_on(send_all(&Place::File(path), newest, &stats));
                let _ = done.send(());
            })?;
            tasks.push(ended);
        }
        if let Some(url) = places.url.clone() {
            let (done, ended) = oneshot::channel();
            let (newest, stats) = (newest.clone(), Arc::clone(stats));
            let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
            let place = Place::Endpoint(client.build().map_err(io::Error::other)?, url);
            tokio::spawn(async move {
                send_all(&place, newest, &stats).await;
                let _ = done.send(());
            });
            tasks.push(ended);
        }
        Ok(Self(tasks))
    }

    /// Waits for the last checkpoint to be sent, at most so long.
    pub async fn finish(self, within: Duration) {
        let all = async {
            for task in self.0 {
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(within, all).await;
    }
}

enum Place {
    File(PathBuf),
    Endpoint(reqwest::Client, String),
}

impl Place {
    async fn send(&self, note: &str) -> Result<(), String> {
        match self {
            Self::File(path) => append(path, note).map_err(|error| format!("{}: {error}", path.display())),
            Self::Endpoint(client, url) => post(client, url, note).await,
        }
    }
}

/// Sends the newest note whenever there is one, until the log is closed.
async fn send_all(place: &Place, mut newest: Newest, stats: &WitnessStats) {
    let mut failing = false;
    loop {
        let note = newest.borrow_and_update().clone();
        if let Some(note) = note {
            if let Err(error) = place.send(&note).await {
                stats.failures.fetch_add(1, Ordering::Relaxed);
                if !failing {
                    tracing::error!(%error, "a witness does not take checkpoints; it will be tried again");
                }
                failing = true;
                match tokio::time::timeout(RETRY, newest.changed()).await {
                    Ok(Err(_)) => return,
                    Ok(Ok(())) | Err(_) => continue,
                }
            }
            stats.sent.fetch_add(1, Ordering::Relaxed);
            if failing {
                tracing::info!("the witness takes checkpoints again");
            }
            failing = false;
        }
        if newest.changed().await.is_err() {
            return;
        }
    }
}

async fn post(client: &reqwest::Client, url: &str, note: &str) -> Result<(), String> {
    let request = client.post(url).header("content-type", "text/plain; charset=utf-8").body(note.to_owned());
    // The address may hold a credential of the operator's.
    let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("HTTP status {}", answer.status().as_u16())) }
}

/// Appends a note and an empty line, unless the file ends with it already.
fn append(path: &Path, note: &str) -> io::Result<()> {
    let mut file = files::open_configured_to_append(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(END_BYTES);
    let mut end = vec![0; usize::try_from(length - start).unwrap_or(0)];
    file.read_exact_at(&mut end, start)?;
    let whole = whole_notes(&end);
    let entry = format!("{note}\n");
    if end.get(..whole).is_some_and(|notes| notes.ends_with(entry.as_bytes())) {
        return Ok(());
    }
    let rest = end.get(whole..).unwrap_or_default();
    if !is_torn(rest, note) {
        return Err(io::Error::other(
            "the file ends with something that is no checkpoint of this log; it is left alone",
        ));
    }
    if whole < end.len() {
        file.set_len(start + whole as u64)?;
    }
    file.write_all(entry.as_bytes())?;
    file.sync_data()
}

/// Whether bytes are what a write of such a note may have left that broke off: its beginning, or only room for it.
fn is_torn(rest: &[u8], note: &str) -> bool {
    let first_line = note.split_inclusive('\n').next().unwrap_or_default().as_bytes();
    let is_room = rest.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace());
    is_room || rest.starts_with(first_line) || first_line.starts_with(rest)
}

/// How many bytes of the end of a file are whole notes: up to an empty line behind a line with a signature. What
/// follows was left by a write that broke off.
fn whole_notes(end: &[u8]) -> usize {
    (0..end.len())
        .rev()
        .filter(|at| end.get(*at..).is_some_and(|rest| rest.starts_with(b"\n\n")))
        .find(|at| {
            let line_start = end.get(..*at).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |at| at + 1);
            end.get(line_start..).is_some_and(|line| line.starts_with("\u{2014} ".as_bytes()))
        })
        .map_or(0, |at| at + 2)
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
