//! Stores that outlive the process.

pub mod sqlite;

pub use sqlite::{
    SqliteStore,
    backup::{Backup, BackupError, backup_file},
    check::{CheckReport, check_file},
    file::{OpenError, Options},
    writer::Stats,
};
