//! `jomae cluster`: what the operator does with the nodes, on the machine of one of them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use jomae_server::{config::Config, nodes, operator};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    account::failure,
    args::{Cluster, Show},
    confirm,
    connect::block_on,
    output::{self, Failure},
    serve, show, times,
};

/// Largest token that is read, in bytes.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

pub fn run(command: &Cluster) -> Result<(), Failure> {
    match command {
        Cluster::Status { show, config } => status(show, &serve::config(config)?),
        Cluster::Token { node, span, to, config } => {
            token(&serve::config(config)?, node, times::seconds(span)?, to.as_deref())
        }
        Cluster::Join { token, config } => join(&serve::config(config)?, token.as_deref()),
        Cluster::Leave { node, confirmed, config } => {
            let config = serve::config(config)?;
            let what = match node {
                Some(node) => format!("the events that only node {node} has will not be missed any more"),
                None => "the service of this machine will stop, and leave the cluster for good".to_owned(),
            };
            confirm::loss(confirmed.yes, &what)?;
            block_on(async { operator::leave(&config, node.as_deref()).await.map_err(failure) })
        }
    }
}

fn status(show: &Show, config: &Config) -> Result<(), Failure> {
    let status = block_on(async { operator::list_nodes(config).await.map_err(failure) })?;
    let own = status.get("node").cloned().unwrap_or_default();
    let rows = status.get("nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |row: &Value| {
        let of = |path: &str| row.pointer(path).cloned().unwrap_or_default();
        json!({
            "Node": of("/node"),
            "State": of("/state"),
            "Worker": of("/worker"),
            "Version": of("/version"),
            "Address": of("/address"),
            "SilentMilliseconds": of("/silent_milliseconds"),
            "ClockAheadSeconds": of("/clock_ahead_seconds"),
            "LogEvents": of("/log/events"),
            "LogOrigin": of("/log/origin"),
            "LogRoot": of("/log/root"),
            "IsAsked": row.get("node") == Some(&own),
        })
    };
    show::list(
        show,
        &["NODE", "STATE", "WORKER", "VERSION", "ADDRESS", "CLOCK", "EVENTS", "LOG"],
        &["Node", "State", "Worker", "Version", "Address", "ClockAheadSeconds", "LogEvents", "LogOrigin"],
        rows.iter().map(row).collect(),
    )
}

fn token(config: &Config, node: &str, valid_secs: i64, to: Option<&Path>) -> Result<(), Failure> {
    let make = || block_on(async { operator::make_join_token(config, node, valid_secs).await.map_err(failure) });
    let Some(path) = to else { return output::line(&make()?) };
    let failed = |error: io::Error| Failure::Local(format!("{}: {error}", path.display()));
    // The file is there before the token is.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = make().and_then(|token| {
        let line = Zeroizing::new(format!("{}\n", token.as_str()));
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

fn join(config: &Config, token: Option<&Path>) -> Result<(), Failure> {
    let token = match token {
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::Local(format!("{}: {error}", path.display())))?;
            read(file)
        }
        None => read(io::stdin().lock()),
    };
    let token = token.map_err(|error| Failure::Local(format!("the token: {error}")))?;
    let written =
        block_on(async { nodes::join(config, &token).await.map_err(|error| Failure::Local(error.to_string())) })?;
    for path in written {
        output::line(&path.display().to_string())?;
    }
    output::line(&format!("{} can be started now: jomae serve", config.cluster.node))
}

fn read(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut token = Zeroizing::new(Vec::with_capacity(TOKEN_BYTES_MAX + 1));
    from.take(TOKEN_BYTES_MAX as u64 + 1).read_to_end(&mut token)?;
    Ok(token)
}
