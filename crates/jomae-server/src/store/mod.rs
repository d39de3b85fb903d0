//! Stores that outlive the process.

pub mod etcd;
pub mod sqlite;

pub use etcd::{
    EtcdStore, Lag,
    open::{EtcdOptions, OpenError as EtcdOpenError},
};
pub use sqlite::{
    SqliteStore,
    backup::{Backup, BackupError, backup_file, slots_of_copy},
    check::{CheckReport, check_file},
    file::{Lock, OpenError, Options, lock},
    writer::Stats,
};
