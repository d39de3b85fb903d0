//! The witnesses that the configuration names: a file, and an HTTP endpoint.

use std::{io, time::Duration};

use jomae_log::witness::{FileWitness, Witness};
use tokio::runtime::{Builder, Runtime};

use crate::config;

/// An endpoint must have answered after this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The witnesses of the log.
pub(super) fn of(config: &config::Audit) -> io::Result<Vec<Box<dyn Witness>>> {
    let mut witnesses: Vec<Box<dyn Witness>> = Vec::new();
    if let Some(path) = &config.witness_file {
        witnesses.push(Box::new(FileWitness::new(path.clone())));
    }
    if let Some(url) = &config.witness_url {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(io::Error::other)?;
        witnesses.push(Box::new(Endpoint { client, url: url.clone(), runtime: None }));
    }
    Ok(witnesses)
}

/// Takes notes by POST.
struct Endpoint {
    client: reqwest::Client,
    url: String,
    /// Its own: that of the service may end while an endpoint does not answer.
    runtime: Option<Runtime>,
}

impl Witness for Endpoint {
    fn send(&mut self, note: &str) -> Result<(), String> {
        let runtime = if let Some(runtime) = self.runtime.take() {
            runtime
        } else {
            // With a worker of its own, which notices when an idle connection is closed.
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.map_err(|error| error.to_string())?
        };
        self.runtime.insert(runtime).block_on(async {
            let request = self.client.post(&self.url).header("content-type", "text/plain; charset=utf-8");
            // The address may hold a credential of the operator's.
            let answer = request.body(note.to_owned()).send().await.map_err(|error| error.without_url().to_string())?;
            let status = answer.status();
            if status.is_success() { Ok(()) } else { Err(format!("HTTP status {}", status.as_u16())) }
        })
    }
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
