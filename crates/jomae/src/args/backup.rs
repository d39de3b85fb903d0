//! `jomae backup`, `jomae restore` and `jomae drill`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConfigArgs, Show};

#[derive(Subcommand)]
pub enum Backup {
    /// Make a backup of store, audit log and identity, also while the service runs: encrypted to what opens the store.
    Create {
        /// Directory, which is made if it is not there, or s3://BUCKET/PREFIX [default: backup.to of the configuration, which must be there].
        #[arg(long, value_name = "PLACE")]
        to: Option<String>,
        /// Take everything, not only what has changed since the last one.
        #[arg(long)]
        whole: bool,
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show the backups in a place, the oldest first; needs no key.
    List {
        /// Directory or s3://BUCKET/PREFIX [default: backup.to of the configuration].
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Read a backup to its end without restoring it: opens every record, and checks its audit log.
    Verify {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Which backup is meant, and what opens it.
#[derive(Args)]
pub struct Chosen {
    /// Directory or s3://BUCKET/PREFIX [default: backup.to of the configuration].
    #[arg(long, value_name = "PLACE")]
    pub from: Option<String>,
    /// The backup, as `backup list` names it [default: the newest].
    #[arg(long, value_name = "ID")]
    pub backup: Option<String>,
    /// The newest that was made at this moment or before, such as 2026-11-29T06:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "backup")]
    pub at: Option<String>,
    /// The root key file that opens it [default: what the configuration names].
    #[arg(long, value_name = "FILE")]
    pub root_key: Option<PathBuf>,
    /// A share of the root key; may be given often.
    #[arg(long = "share", value_name = "FILE", conflicts_with = "root_key")]
    pub shares: Vec<PathBuf>,
    /// A private key, as age-keygen or ssh-keygen -t ed25519 makes it, that opens shares which are encrypted; may be given often.
    #[arg(long = "identity", value_name = "FILE", requires = "shares")]
    pub identities: Vec<PathBuf>,
    /// Public key of the audit log by which the backup must be signed, or a file with it; may be given often [default: what the data
    /// directory or the witness of the configuration knows, else what vouches for the backup where it is opened].
    #[arg(long = "log-key", value_name = "KEY|FILE")]
    pub log_keys: Vec<String>,
    /// Take a backup although nothing says whose it is. Whoever can write where it lies may have made it.
    #[arg(long, conflicts_with = "log_keys")]
    pub accept_unknown_log: bool,
}

#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Restore an audit log that is damaged, cut or missing as it is. The service does not start with it.
    #[arg(long)]
    pub accept_damaged_audit_log: bool,
    /// Restore a store that is older than its audit log promises, or was changed beside the service, as it is. An event of
    /// the first start says so.
    #[arg(long)]
    pub accept_rollback: bool,
    /// Restore everything but key material whose shredding key was destroyed or is lost. That material is gone for good.
    #[arg(long)]
    pub accept_shredded: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Args)]
pub struct Drill {
    #[command(flatten)]
    pub chosen: Chosen,
    #[command(flatten)]
    pub show: Show,
    #[command(flatten)]
    pub config: ConfigArgs,
}
