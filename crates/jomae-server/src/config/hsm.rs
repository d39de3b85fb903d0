//! The token that holds keys: `[hsm]`.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Config, ConfigError};

/// A PKCS#11 label has so many bytes.
const LABEL_BYTES_MAX: usize = 32;
const SESSIONS_MAX: u16 = 256;
const WORKERS_MAX: u16 = 16;
const TIMEOUT_SECS_MAX: u64 = 300;

/// A PKCS#11 token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmConfig {
    /// The module of its vendor, a shared library.
    pub module: PathBuf,
    /// The label of the token.
    pub token_label: String,
    /// Its serial number; without it, that of the token found first counts from then on.
    pub token_serial: Option<String>,
    /// A file with the PIN of its user, readable by this user alone.
    pub pin_file: PathBuf,
    /// Calls at once, at all workers together.
    #[serde(default = "default_sessions")]
    pub sessions: u16,
    /// Processes that load the module, each with its part of the sessions.
    #[serde(default = "default_workers")]
    pub workers: u16,
    /// Seconds that a call may take; the making of a key, six times as long.
    #[serde(default = "default_timeout")]
    pub timeout_secs: u64,
}

const fn default_sessions() -> u16 {
    8
}

const fn default_workers() -> u16 {
    2
}

const fn default_timeout() -> u64 {
    10
}

impl Config {
    pub(super) fn check_hsm(&self) -> Result<(), ConfigError> {
        let Some(hsm) = &self.hsm else { return Ok(()) };
        let wrong = |what: &str| Err(ConfigError::Value(format!("hsm.{what}")));
        if !hsm.module.is_absolute() {
            return wrong("module must be an absolute path");
        }
        if hsm.token_label.is_empty() || hsm.token_label.len() > LABEL_BYTES_MAX {
            return wrong("token_label must have from 1 to 32 bytes");
        }
        if !(1..=SESSIONS_MAX).contains(&hsm.sessions) {
            return wrong("sessions must be from 1 to 256");
        }
        if !(1..=WORKERS_MAX).contains(&hsm.workers) {
            return wrong("workers must be from 1 to 16");
        }
        if !(1..=TIMEOUT_SECS_MAX).contains(&hsm.timeout_secs) {
            return wrong("timeout_secs must be from 1 to 300");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_configured_whole() {
        let whole = "[hsm]\nmodule = \"/m.so\"\ntoken_label = \"t\"\npin_file = \"/pin\"\n";
        let config = Config::parse(whole).unwrap();
        config.checked_regions().unwrap();
        let hsm = config.hsm.unwrap();
        assert_eq!((hsm.sessions, hsm.workers, hsm.timeout_secs, hsm.token_serial), (8, 2, 10, None));
        assert!(Config::parse("[hsm]\nmodule = \"/m.so\"").is_err());
        assert!(Config::parse(&format!("{whole}pin = \"1234\"")).is_err(), "a PIN does not stand in a configuration");
        for (from, to) in [
            ("\"/m.so\"", "\"m.so\""),
            ("\"t\"", "\"\""),
            ("\"/pin\"", "\"/pin\"\nsessions = 0"),
            ("\"/pin\"", "\"/pin\"\nworkers = 0"),
            ("\"/pin\"", "\"/pin\"\nworkers = 17"),
            ("\"/pin\"", "\"/pin\"\ntimeout_secs = 0"),
        ] {
            let config = Config::parse(&whole.replace(from, to)).unwrap();
            assert!(config.checked_regions().unwrap_err().to_string().contains("hsm."), "{to}");
        }
    }
}
