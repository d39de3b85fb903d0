//! The operator's log, on standard error. It never holds what a caller sent.

use tracing_subscriber::{EnvFilter, Registry, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::config::{ConfigError, Log, LogFormat};

/// Sets another level in the running process.
pub(crate) type LevelHandle = reload::Handle<EnvFilter, Registry>;

/// Starts the log. Called once; a second call in one process changes nothing.
pub(crate) fn start(log: &Log) -> Result<LevelHandle, ConfigError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let registry = tracing_subscriber::registry().with(filter);
    // Another subscriber may be there already: the tests start several servers in one process.
    let _ = match log.format {
        LogFormat::Human => registry
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false))
            .try_init(),
        LogFormat::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
        }
    };
    Ok(handle)
}

/// Reads a level, or a list of them.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ConfigError> {
    EnvFilter::try_new(level).map_err(|error| ConfigError::Value(format!("log.level `{level}`: {error}")))
}
