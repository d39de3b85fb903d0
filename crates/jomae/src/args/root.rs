//! `jomae root`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConfigArgs, Confirmed, Show};

#[derive(Subcommand)]
pub enum Root {
    /// Show the slots of the root key: which providers open the store.
    Status {
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        opening: Opening,
    },
    /// Give every slot another root key. Callers' ciphertexts do not change, and the files of the providers stay good.
    Rotate {
        #[command(flatten)]
        opening: Opening,
    },
    /// Add a slot: another way to the root key.
    Add {
        #[command(subcommand)]
        provider: AddProvider,
    },
    /// Remove a slot, and give all others another root key. Older backups are still opened by what opened them.
    Remove {
        /// Its name, as `root status` shows it.
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
        #[command(flatten)]
        opening: Opening,
    },
}

/// How the store is opened, if no service runs.
#[derive(Args)]
pub struct Opening {
    /// A share of the root key, where the service cannot be started because its provider is lost; may be given often.
    #[arg(long = "share", value_name = "FILE")]
    pub shares: Vec<PathBuf>,
    /// A private key, as age-keygen or ssh-keygen -t ed25519 makes it, that opens shares which are encrypted; may be given often.
    #[arg(long = "identity", value_name = "FILE", requires = "shares")]
    pub identities: Vec<PathBuf>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Subcommand)]
pub enum AddProvider {
    /// A new key file.
    File {
        /// Name of the slot.
        #[arg(long, default_value = "file")]
        name: String,
        /// Where to make it; must not be there.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
    /// A passphrase, asked for on the terminal unless a file has it.
    Passphrase {
        /// Name of the slot.
        #[arg(long, default_value = "passphrase")]
        name: String,
        /// The file that has it.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Take a weak one all the same.
        #[arg(long)]
        insecure: bool,
        #[command(flatten)]
        opening: Opening,
    },
    /// Shares for several people, of which enough open; one file for each.
    Shares {
        /// Name of the slot.
        #[arg(long, default_value = "shares")]
        name: String,
        /// How many open.
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
        opening: Opening,
    },
    /// The token of `[hsm]` in the configuration, which wraps the slot's key under a key that never leaves it.
    Pkcs11 {
        /// Name of the slot.
        #[arg(long, default_value = "pkcs11")]
        name: String,
        /// Label of the key in the token, an AES-256 key; made if it is not there. It does not begin with jomae: as those of key versions do.
        #[arg(long, value_name = "LABEL", default_value = "jomae-root")]
        key_label: String,
        #[command(flatten)]
        opening: Opening,
    },
    /// The other KMS of the configuration, which encrypts and decrypts the slot's key.
    Kms {
        /// Name of the slot.
        #[arg(long, default_value = "kms")]
        name: String,
        #[command(flatten)]
        opening: Opening,
    },
}
