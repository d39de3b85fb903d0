//! `jomae audit`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{ConfigArgs, Remote};

#[derive(Subcommand)]
pub enum Audit {
    /// Check the whole log, from its files and the public key alone; exit code 0 only if it is whole.
    Verify {
        #[command(flatten)]
        log: Log,
        /// A checkpoint that was kept elsewhere, or a file of them: the log must still contain it.
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        #[command(flatten)]
        archive: Archive,
    },
    /// Prove that an event is in the log, for somebody who has only the public key.
    Prove {
        /// Its eventId, or its number.
        event: String,
        /// Write the proof to this file [default: standard output].
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        log: Log,
    },
    /// Check what `prove` or `consistency` has made.
    CheckProof {
        /// The proof; - is standard input.
        file: PathBuf,
        #[command(flatten)]
        key: Key,
    },
    /// Show that the log still contains all that an older checkpoint covers.
    Consistency {
        /// The older checkpoint.
        checkpoint: PathBuf,
        /// Write the proof to this file.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        log: Log,
    },
    /// Check a receipt (header x-jomae-receipt of an answer) against the log, or against a proof.
    Receipt {
        /// The receipt, or @FILE.
        receipt: String,
        /// What `prove` has made, instead of the log.
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
        #[command(flatten)]
        log: Log,
    },
    /// Write events to a file, each with its proof.
    Export {
        /// The new file; - is standard output.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Only events of this account, and those about what it owns.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        log: Log,
    },
    /// Check what `export` has made.
    CheckExport {
        /// The file; - is standard input.
        file: PathBuf,
        #[command(flatten)]
        key: Key,
    },
    /// Check the report of a drill (`jomae drill`), and show it.
    CheckDrill {
        /// The report; - is standard input.
        file: PathBuf,
        #[command(flatten)]
        key: Key,
    },
    /// Print the newest checkpoint: keep it elsewhere, and `verify` shows whether the log was changed since.
    Checkpoint {
        #[command(flatten)]
        log: Log,
    },
    /// Look up events of the caller's account (LookupEvents).
    Search(Search),
    /// Show the newest events of the caller's account, or of the files of a log.
    Tail {
        #[command(flatten)]
        remote: Remote,
        /// Go on with what comes.
        #[arg(short, long)]
        follow: bool,
        /// How many events of the past.
        #[arg(short = 'n', long, default_value_t = 10, value_name = "COUNT")]
        lines: usize,
        /// Read the files in this directory, of all accounts, instead of calling the service.
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
    },
}

/// A log, and the key that signs it.
#[derive(ClapArgs)]
pub struct Log {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Directory of the log, or of a copy of it [default: `audit` in the data directory].
    #[arg(long = "log", value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Public key of the log: a file, or its text [default: key.pub beside the log].
    #[arg(long, value_name = "FILE|TEXT")]
    pub key: Option<String>,
}

/// An archive of logs.
#[derive(ClapArgs)]
pub struct Archive {
    /// Check every log in this archive instead: a directory, or s3://BUCKET/PREFIX [without a value: that of the
    /// configuration].
    #[arg(id = "archive", long, value_name = "TO", num_args = 0..=1, default_missing_value = "")]
    #[arg(conflicts_with = "directory")]
    pub to: Option<String>,
    /// Address of the S3 service [default: that of AWS for the region].
    #[arg(id = "archive_endpoint", long = "archive-endpoint", value_name = "URL", requires = "archive")]
    pub endpoint: Option<String>,
    /// Region of the bucket.
    #[arg(id = "archive_region", long = "archive-region", value_name = "REGION", requires = "archive")]
    pub region: Option<String>,
    /// File with the AccessKey pair for the bucket.
    #[arg(id = "archive_credentials", long = "archive-credentials", value_name = "FILE", requires = "archive")]
    pub credentials: Option<PathBuf>,
}

/// The key that signs a log.
#[derive(ClapArgs)]
pub struct Key {
    /// Public key of the log: a file, or its text.
    #[arg(long, value_name = "FILE|TEXT")]
    pub key: String,
}

#[derive(ClapArgs)]
pub struct Range {
    /// The first second: a date, a moment such as 2026-11-27T08:00:00Z, or how long ago, such as 1h or 7d.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// The last second, likewise.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// At most two of the first five flags.
#[derive(ClapArgs)]
pub struct Search {
    #[command(flatten)]
    pub remote: Remote,
    /// The action, e.g. Decrypt.
    #[arg(long, value_name = "NAME")]
    pub event_name: Option<String>,
    /// Name of the user, or <role>:<session>.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A key, by its ID or an alias, or another resource, by its ID or name.
    #[arg(long, value_name = "ID")]
    pub key: Option<String>,
    /// The access key that called.
    #[arg(long, value_name = "ID")]
    pub access_key: Option<String>,
    /// One event.
    #[arg(long, value_name = "ID")]
    pub event_id: Option<String>,
    /// Default range: the last seven days.
    #[command(flatten)]
    pub range: Range,
}
