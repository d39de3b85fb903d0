//! `jomae shred`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ConfigArgs, Show};

#[derive(Subcommand)]
pub enum Shred {
    /// Show the shredding keys, how far each is, and who can recover them.
    Status {
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Make shares for several people, of which enough recover the shredding keys; shares of before do not any more.
    Shares {
        /// How many recover.
        #[arg(long, value_name = "COUNT")]
        open: u8,
        /// How many there are.
        #[arg(long, value_name = "COUNT")]
        of: u8,
        /// New directory for them.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// The public key of a person, age1… or the line of an SSH key, ssh-ed25519 AAAA…: given once for each share, which is then
        /// encrypted to that person.
        #[arg(long = "recipient", value_name = "KEY", conflicts_with = "qr")]
        recipients: Vec<String>,
        /// Make a picture (SVG) of each too, with the share as a QR code, to be printed.
        #[arg(long)]
        qr: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Bring the shredding keys that a stopped service needs back to destruction.keys_dir, with enough shares: after a restore
    /// on another machine, or when that directory was lost.
    Recover {
        /// A share, as `shred shares` made it; may be given often.
        #[arg(long = "share", value_name = "FILE", required = true)]
        shares: Vec<PathBuf>,
        /// A private key, as age-keygen or ssh-keygen -t ed25519 makes it, that opens shares which are encrypted; may be given often.
        #[arg(long = "identity", value_name = "FILE")]
        identities: Vec<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
}
