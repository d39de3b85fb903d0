//! What is done with destroyed keys: `[destruction]`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ArchivePlace, Config, ConfigError};

/// What destruction reaches, and how long older backups stay good.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DestructionConfig {
    pub mode: Destruction,
    /// Where the shredding keys are, for use; in no backup. Nodes of a cluster share it, and the next.
    pub keys_dir: Option<PathBuf>,
    /// Where they are for recovery by shares; in no backup, and best on another machine.
    pub escrow_dir: Option<PathBuf>,
    /// Days for which a shredding key is kept after the last record needed it: so long every backup restores.
    pub retention_days: u32,
}

/// What destruction reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destruction {
    /// The store: what a backup has stays in it.
    #[default]
    Delete,
    /// Older backups too, after a time.
    Shred,
}

impl Default for DestructionConfig {
    fn default() -> Self {
        Self { mode: Destruction::Delete, keys_dir: None, escrow_dir: None, retention_days: 30 }
    }
}

impl DestructionConfig {
    /// For how long a shredding key is kept, in seconds.
    pub fn retention_secs(&self) -> i64 {
        i64::from(self.retention_days) * 86_400
    }
}

impl Config {
    pub(super) fn check_destruction(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(format!("destruction.{text}")));
        let DestructionConfig { mode, keys_dir, escrow_dir, retention_days } = &self.destruction;
        if !(1..=3660).contains(retention_days) {
            return wrong("retention_days must be from 1 to 3660".into());
        }
        if keys_dir.is_some() != escrow_dir.is_some() {
            return wrong("keys_dir and destruction.escrow_dir belong together: give both or none".into());
        }
        let (Some(keys), Some(escrow)) = (keys_dir, escrow_dir) else {
            return match mode {
                Destruction::Delete => Ok(()),
                Destruction::Shred => wrong("mode = \"shred\" needs keys_dir and escrow_dir".into()),
            };
        };
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (keys, escrow) = (absolute(keys), absolute(escrow));
        if keys.starts_with(&escrow) || escrow.starts_with(&keys) {
            return wrong(
                "keys_dir and destruction.escrow_dir must not be in each other: one loss would take both".into(),
            );
        }
        let backups = self.backup.to.as_ref().and_then(|to| self.backup.archive(to).place().ok());
        let backups = backups.and_then(|place| match place {
            ArchivePlace::Directory(dir) => Some(dir),
            ArchivePlace::S3 { .. } => None,
        });
        for (name, dir) in [("keys_dir", &keys), ("escrow_dir", &escrow)] {
            if dir.starts_with(absolute(&self.data_dir)) {
                return wrong(format!("{name} must not be in the data directory, of which copies are made"));
            }
            if backups.as_ref().is_some_and(|backups| dir.starts_with(backups) || backups.starts_with(dir)) {
                return wrong(format!("{name} must not be with the backups: what opens them would lie beside them"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shredding_needs_is_asked_for() {
        let parse = |text: &str| {
            let config = Config::parse(&format!("data_dir = \"/data\"\n{text}")).unwrap();
            config.checked_regions().map(|_| config.destruction).map_err(|error| error.to_string())
        };
        let dirs = "keys_dir = \"/k\"\nescrow_dir = \"/e\"";
        assert_eq!(parse("").unwrap(), DestructionConfig::default());
        let shred = parse(&format!("[destruction]\nmode = \"shred\"\nretention_days = 90\n{dirs}")).unwrap();
        assert_eq!((shred.mode, shred.retention_secs()), (Destruction::Shred, 90 * 86_400));
        assert!(parse(&format!("[destruction]\n{dirs}")).is_ok(), "turned off, while keys are left");
        let etcd = "[store]\nkind = \"etcd\"\nendpoints = [\"http://127.0.0.1:1\"]\n[cluster]\nnode = \"a\"\n";
        assert!(parse(&format!("{etcd}[destruction]\nmode = \"shred\"\n{dirs}")).is_ok());
        for (wrong, why) in [
            ("[destruction]\nmode = \"shred\"", "needs keys_dir and escrow_dir"),
            ("[destruction]\nkeys_dir = \"/k\"", "belong together"),
            ("[destruction]\nretention_days = 0", "retention_days"),
            ("[destruction]\nkeys_dir = \"/k\"\nescrow_dir = \"/k/e\"", "in each other"),
            (
                "[destruction]\nkeys_dir = \"/data/k\"\nescrow_dir = \"/e\"",
                "keys_dir must not be in the data directory",
            ),
            (
                "[backup]\nto = \"/b\"\n[destruction]\nkeys_dir = \"/k\"\nescrow_dir = \"/b/e\"",
                "escrow_dir must not be with the backups",
            ),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.starts_with("configuration: destruction.") && error.contains(why), "{wrong}: {error}");
        }
        assert!(Config::parse("[destruction]\nmode = \"burn\"").is_err());
    }
}
