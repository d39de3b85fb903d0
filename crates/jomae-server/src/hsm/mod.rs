//! The token that the configuration names: started, reloaded, watched.

mod backend;
mod pin;

use std::{io, path::Path as FilePath, sync::Arc, time::Duration};

use jomae_core::{
    error::Fault,
    plain_records,
    store::Path,
    tx::{CommitOutcome, Vault},
};
use jomae_hsm::{Hsm, Launch, Phase, Settings, TokenFacts};
use serde::{Deserialize, Serialize};

pub use backend::TokenBackend;

pub(crate) use self::pin::NOTE_FILE as PIN_NOTE_FILE;
use self::pin::PinFile;
use crate::{
    config::{Config, HsmConfig, RootKeyProvider},
    root_key::{PASSPHRASE_PIPE_VARIABLE, PASSPHRASE_VARIABLE},
};

/// The hidden command of the binary that is the worker.
pub const WORKER_COMMAND: &str = "hsm-worker";
/// The program that runs, whatever stands under its name by now: client and worker are of the same build.
const PROGRAM: &str = "/proc/self/exe";

/// How long a start of the service waits for the token. If that takes longer, keys in it are not available at first.
const WAIT: Duration = Duration::from_secs(10);

/// Which token the keys are in: another one with the same label is refused, after a restart too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    pub label: String,
    pub serial: String,
}

plain_records!(form: 2, bears_rights: false; TokenRecord);

fn record_path() -> Path {
    Path::new("sys/hsm")
}

/// Waits for the token, and holds it to be the one of the starts before. What goes wrong is told: the service starts
/// without it.
pub async fn settle(hsm: &Arc<Hsm>, config: &HsmConfig, vault: &Vault) -> Result<(), Fault> {
    let known = vault.reading().get::<TokenRecord>(&record_path())?;
    // The configuration may say that it is another one from now on.
    if config.token_serial.is_none()
        && let Some(known) = known.as_ref().filter(|known| known.label == config.token_label)
    {
        hsm.expect_serial(&known.serial);
    }
    let waiting = Arc::clone(hsm);
    let status = tokio::task::spawn_blocking(move || waiting.settled(WAIT)).await.map_err(Fault::internal)?;
    let facts = match (status.phase, status.facts) {
        (Phase::Up, Some(facts)) => facts,
        // It has been told.
        (Phase::Down { .. }, _) => return Ok(()),
        _ => {
            tracing::error!("the token has not begun in time; keys in it are not available until it has");
            return Ok(());
        }
    };
    let found = TokenRecord { label: facts.label, serial: facts.serial };
    if known.as_deref() != Some(&found)
        && let Err(fault) = remember(vault, &found).await
    {
        tracing::warn!(cause = %fault, "which token is used cannot be noted; the next start will");
    }
    Ok(())
}

async fn remember(vault: &Vault, found: &TokenRecord) -> Result<(), Fault> {
    let mut tx = vault.writing();
    tx.get::<TokenRecord>(&record_path())?;
    tx.put(record_path(), found)?;
    match tx.commit().await? {
        CommitOutcome::Done => Ok(()),
        CommitOutcome::Conflict => Err(Fault::unavailable("another node has just noted which token is used")),
    }
}

/// Begins to start the workers of a token. What becomes of its PIN is remembered in the data directory.
pub fn start(config: &HsmConfig, data_dir: &FilePath) -> io::Result<Arc<Hsm>> {
    Ok(Arc::new(Hsm::start(settings(config, data_dir), launch())?))
}

/// Whether the token is there. The PIN is not tried: a wrong one would be one more.
pub(crate) fn examine(config: &Config, token: &HsmConfig) -> Result<String, String> {
    let data_dir = &config.data_dir;
    PinFile::new(token, data_dir).examine().map_err(|error| format!("hsm.pin_file: {error}"))?;
    let facts = jomae_hsm::look(&settings(token, data_dir), &launch())?;
    let TokenFacts { label, serial, model, pin_count_low, .. } = facts;
    if pin_count_low {
        return Err(format!("{label:?}, serial number {serial}: the last PIN that was tried is wrong"));
    }
    let tried = if config.root_key.providers.contains(&RootKeyProvider::Pkcs11) {
        "the PIN was not tried for this; to open the records by a root key in the token takes a login"
    } else {
        "the PIN was not tried"
    };
    Ok(format!("{label:?}, serial number {serial}, {model}; {tried}"))
}

fn settings(config: &HsmConfig, data_dir: &FilePath) -> Settings {
    Settings {
        module: config.module.clone(),
        token_label: config.token_label.clone(),
        token_serial: config.token_serial.clone(),
        sessions: config.sessions,
        workers: config.workers,
        timeout: Duration::from_secs(config.timeout_secs),
        pin: Box::new(PinFile::new(config, data_dir)),
    }
}

fn launch() -> Launch {
    Launch {
        program: PROGRAM.into(),
        args: vec![WORKER_COMMAND.into()],
        env: Vec::new(),
        without: vec![PASSPHRASE_VARIABLE.into(), PASSPHRASE_PIPE_VARIABLE.into()],
    }
}
