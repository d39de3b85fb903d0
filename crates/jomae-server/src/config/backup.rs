//! Backups: `[backup]`.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Archive, ConfigError};

/// Where backups go, and when they are made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// A directory, or `s3://<bucket>/<prefix>`.
    pub to: Option<String>,
    /// The address of the S3 service; default: that of AWS for the region.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// A file with the AccessKey pair for the bucket.
    pub credentials_file: Option<PathBuf>,
    /// Hours between two backups that the service makes by itself; none: none.
    pub every_hours: Option<u32>,
    /// Every so many backups, one of everything; those between hold what has changed since the one before.
    pub full_every: u32,
    /// Days for which backups are kept; none: for ever.
    pub keep_days: Option<u32>,
    /// Days between two drills that the service holds by itself; none: none.
    pub drill_every_days: Option<u32>,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            to: None,
            endpoint: None,
            region: None,
            credentials_file: None,
            every_hours: None,
            full_every: 7,
            keep_days: None,
            drill_every_days: None,
        }
    }
}

impl BackupConfig {
    /// As a place.
    pub(crate) fn archive(&self, to: &str) -> Archive {
        let Self { endpoint, region, credentials_file, .. } = self.clone();
        Archive { to: to.to_owned(), endpoint, region, credentials_file, every_secs: 30 }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: &str| Err(ConfigError::Value(format!("backup.{text}")));
        if let Some(to) = &self.to {
            self.archive(to).place().map_err(|error| ConfigError::Value(format!("backup.{error}")))?;
        }
        if self.to.is_none() && (self.every_hours.is_some() || self.drill_every_days.is_some()) {
            return wrong("to is missing, which every_hours and drill_every_days need");
        }
        if self.every_hours.is_some_and(|hours| !(1..=8760).contains(&hours)) {
            return wrong("every_hours must be from 1 to 8760");
        }
        if self.drill_every_days.is_some_and(|days| !(1..=3660).contains(&days)) {
            return wrong("drill_every_days must be from 1 to 3660");
        }
        if !(1..=1000).contains(&self.full_every) {
            return wrong("full_every must be from 1 to 1000");
        }
        if self.keep_days.is_some_and(|days| !(1..=36_600).contains(&days)) {
            return wrong("keep_days must be from 1 to 36600");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_a_backup_needs_is_asked_for() {
        let parse = |text: &str| {
            let config = Config::parse(&format!("[backup]\n{text}")).unwrap();
            config.checked_regions().map(drop).map_err(|error| error.to_string())
        };
        assert!(parse("to = \"/mnt/b\"\nevery_hours = 24\nkeep_days = 30\ndrill_every_days = 7").is_ok());
        for (wrong, why) in [
            ("every_hours = 24", "backup.to is missing"),
            ("to = \"b\"", "backup.to: \"b\" is neither"),
            ("to = \"s3://b/p\"", "backup.region is missing"),
            ("to = \"/b\"\nevery_hours = 0", "backup.every_hours"),
            ("to = \"/b\"\nfull_every = 0", "backup.full_every"),
            ("to = \"/b\"\nkeep_days = 0", "backup.keep_days"),
            ("to = \"/b\"\ndrill_every_days = 0", "backup.drill_every_days"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
