//! `jomae account`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ConfigArgs, Confirmed};

#[derive(Subcommand)]
pub enum Account {
    /// Make an account with its first access key; the secret is shown once.
    Create {
        /// What the operator calls it, 1 to 64 characters.
        #[arg(long)]
        name: String,
        /// Write the key to this new file, to be sourced in a shell, instead of showing it.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Give an account another name; no two have the same.
    Rename {
        /// The account's 16 digits.
        account: String,
        name: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Shut an account: none of its access keys and sessions is accepted, from the next call on. Its keys stay as they are.
    Disable {
        /// The account's 16 digits.
        account: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Open an account again.
    Enable {
        /// The account's 16 digits.
        account: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Delete a disabled account that has no keys, with its users, roles, policies and access keys.
    Delete {
        /// The account's 16 digits.
        account: String,
        #[command(flatten)]
        confirmed: Confirmed,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List all accounts.
    List {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Make a further access key of an account that has lost the others; the secret is shown once.
    Key {
        /// The account's 16 digits, as `jomae account list` shows them.
        account: String,
        /// Write the key to this new file, to be sourced in a shell, instead of showing it.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
}
