//! `jomae shred`: the keys by whose destruction older backups lose what was destroyed.

use std::{fs, path::PathBuf};

use jomae_crypto::{secret::Key256, shares};
use jomae_server::{
    config::Config,
    operator::{self, OperatorError},
};
use serde_json::{Value, json};

use crate::{
    account::failure,
    args::{Show, Shred},
    connect::block_on,
    output::{self, Failure},
    root::{holders, text, write_shares},
    serve, show,
};

pub fn run(command: &Shred) -> Result<(), Failure> {
    match command {
        Shred::Status { show, config } => status(show, &serve::config(config)?),
        Shred::Shares { open, of, to, recipients, qr, config } => {
            let config = serve::config(config)?;
            let holders = holders(recipients, *of)?;
            let key = Key256::random();
            let (set, people) = shares::split(&key, *open, *of).map_err(|error| Failure::Usage(error.to_string()))?;
            write_shares(to, &people, &holders, *qr)?;
            let made = block_on(async { Ok(operator::set_shredding_shares(&config, &key, &set).await) })?;
            made.map_err(|error| match error {
                OperatorError::Unsure(_) | OperatorError::Socket(..) => Failure::Service(format!(
                    "{error}; {} is left: `jomae audit search --event-name SetShreddingShares` shows whether these count",
                    to.display()
                )),
                error => {
                    // They are worth nothing.
                    let _ = fs::remove_dir_all(to);
                    failure(error)
                }
            })?;
            output::line(&format!(
                "{} shares are in {}, any {} of them recover the shredding keys from destruction.escrow_dir. Give one to each \
                 person, and destroy the directory; none of them is kept elsewhere.",
                set.count(),
                to.display(),
                set.open()
            ))
        }
        Shred::Recover { shares, identities, config } => recover(shares, identities, &serve::config(config)?),
    }
}

fn recover(shares: &[PathBuf], identities: &[PathBuf], config: &Config) -> Result<(), Failure> {
    let recovered =
        block_on(async { operator::recover_shredding_keys(config, shares, identities).await.map_err(failure) })?;
    if recovered.is_empty() {
        return output::line("every shredding key that the store needs is there; nothing was done");
    }
    for id in recovered {
        output::line(&format!("recovered shredding key {id}"))?;
    }
    Ok(())
}

fn status(show: &Show, config: &Config) -> Result<(), Failure> {
    let status = block_on(async { operator::shredding_status(config).await.map_err(failure) })?;
    let of = |name: &str| status.get(name).cloned().unwrap_or_default();
    if status.get("shares").is_none_or(Value::is_null) && text(&status, "mode") == "shred" {
        output::note("no shares were made: `jomae shred shares` makes them");
    }
    let rows = status.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |row: &Value| {
        let of_row = |name: &str| row.get(name).cloned().unwrap_or_default();
        json!({
            "Key": of_row("id"),
            "State": of_row("state"),
            "Made": of_row("made"),
            "Retired": of_row("retired"),
            "Destroyed": of_row("destroyed"),
            "Shares": of("shares"),
        })
    };
    show::list(
        show,
        &["KEY", "STATE", "MADE", "RETIRED", "DESTROYED FROM", "SHARES"],
        &["Key", "State", "Made", "Retired", "Destroyed", "Shares"],
        rows.iter().map(row).collect(),
    )
}
