//! The token that the configuration names: started, reloaded, watched.

use std::{io, sync::Arc, time::Duration};

use jomae_hsm::{Hsm, Launch, Secret, Settings};

use crate::{
    config::HsmConfig,
    files,
    root_key::{PASSPHRASE_PIPE_VARIABLE, PASSPHRASE_VARIABLE},
};

/// The hidden command of the binary that is the worker.
pub const WORKER_COMMAND: &str = "hsm-worker";
/// Longest file with a PIN, in bytes.
const PIN_FILE_BYTES_MAX: usize = 512;
/// The program that runs, whatever stands under its name by now: client and worker are of the same build.
const PROGRAM: &str = "/proc/self/exe";

/// Begins to start the worker of a token.
pub fn start(config: &HsmConfig) -> io::Result<Arc<Hsm>> {
    let pin_file = config.pin_file.clone();
    let settings = Settings {
        module: config.module.clone(),
        token_label: config.token_label.clone(),
        token_serial: config.token_serial.clone(),
        sessions: config.sessions,
        timeout: Duration::from_secs(config.timeout_secs),
        pin: Box::new(move || {
            let content = files::read_secret(&pin_file, files::Secret::Configured, PIN_FILE_BYTES_MAX)
                .map_err(|error| error.to_string())?;
            let end = content.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
            Ok(Secret::new(content.get(..end).unwrap_or_default().to_vec()))
        }),
    };
    let launch = Launch {
        program: PROGRAM.into(),
        args: vec![WORKER_COMMAND.into()],
        env: Vec::new(),
        without: vec![PASSPHRASE_VARIABLE.into(), PASSPHRASE_PIPE_VARIABLE.into()],
    };
    Ok(Arc::new(Hsm::start(settings, launch)?))
}
