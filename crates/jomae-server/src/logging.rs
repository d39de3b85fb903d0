//! The operator's log, on standard error. It never holds what a caller sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

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

/// How often a line that strangers can cause is written at most.
const SELDOM: Duration = Duration::from_mins(1);

/// A line of the log that is written once a minute at most, with a count.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<SeldomState>);

#[derive(Default)]
struct SeldomState {
    written: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// Counts an event. If its line is to be written now: for how many events it stands.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due_at(Instant::now())
    }

    fn due_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.times += 1;
        if state.written.is_some_and(|written| now.saturating_duration_since(written) < SELDOM) {
            return None;
        }
        state.written = Some(now);
        Some(std::mem::take(&mut state.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_line_is_written_once_a_minute_with_a_count() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.due_at(start), Some(1));
        for secs in 1..60 {
            assert_eq!(seldom.due_at(start + Duration::from_secs(secs)), None);
        }
        assert_eq!(seldom.due_at(start + SELDOM), Some(60));
        assert_eq!(seldom.due_at(start + SELDOM), None);
    }
}
