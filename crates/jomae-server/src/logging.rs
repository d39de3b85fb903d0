//! The operator's log, on standard error. It never holds what a caller sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::level_filters::LevelFilter;
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

/// Libraries that write a line for each frame or record at `debug`.
const TALKATIVE: [&str; 5] = ["h2", "hyper", "hyper_util", "rustls", "reqwest"];

/// Reads a level, or a list of them. A level for everything does not make the talkative libraries say more than `info`;
/// only their own names do.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, ConfigError> {
    let wrong = |error: &dyn std::fmt::Display| ConfigError::Value(format!("log.level `{level}`: {error}"));
    let mut filter = EnvFilter::try_new(level).map_err(|error| wrong(&error))?;
    let parts = || level.split(',').map(str::trim);
    if parts().filter_map(|part| part.parse::<LevelFilter>().ok()).all(|of_all| of_all <= LevelFilter::INFO) {
        return Ok(filter);
    }
    for library in TALKATIVE {
        let is_named = |part: &str| part.split(['=', ':', '[']).next() == Some(library);
        if !parts().any(is_named) {
            filter = filter.add_directive(format!("{library}=info").parse().map_err(|error| wrong(&error))?);
        }
    }
    Ok(filter)
}

/// A line of the start-up text, in the form of the log.
pub(crate) fn start_line(format: LogFormat, line: &str) -> String {
    match format {
        LogFormat::Human => line.to_owned(),
        LogFormat::Json => serde_json::json!({
            "timestamp": jiff::Timestamp::now().to_string(),
            "level": "INFO",
            "fields": { "message": line.trim() },
            "target": "jomae_server::daemon",
        })
        .to_string(),
    }
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
    fn frames_are_not_shown_unless_asked_for() {
        for (level, frames) in [
            ("debug", false),
            ("trace", false),
            ("debug,jomae_server=trace", false),
            ("debug,h2=trace", true),
            ("info,h2=debug", true),
            ("h2::codec=trace,debug", true),
        ] {
            let shown = filter(level).unwrap().to_string();
            assert_eq!(!shown.split(',').any(|part| part == "h2=info"), frames, "{level}: {shown}");
        }
        for level in ["info", "warn", "error,jomae_server=debug"] {
            assert!(!filter(level).unwrap().to_string().contains("hyper"), "{level}");
        }
        assert!(filter("jomae_server=loud").is_err());
    }

    #[test]
    fn the_start_is_told_in_the_form_of_the_log() {
        assert_eq!(start_line(LogFormat::Human, "  a"), "  a");
        let line: serde_json::Value = serde_json::from_str(&start_line(LogFormat::Json, "  a \"b\"")).unwrap();
        assert_eq!(line["fields"]["message"], "a \"b\"");
    }

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
