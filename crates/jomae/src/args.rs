//! What the command line takes.

#![allow(rustdoc::invalid_html_tags, reason = "comments on arguments are what --help prints")]

mod account;
mod audit;
mod backup;
mod cluster;
mod people;
mod policy;
mod root;
mod shred;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use jomae_server::address::ListenAddress;

pub use account::Account;
pub use audit::{Archive, Audit, Key as LogKey, Log, Range, Search};
pub use backup::{Backup, Chosen, Drill, Restore};
pub use cluster::Cluster;
pub use people::{Group, Policies, PolicyNames, Role, Session, User, UserKeys};
pub use policy::{Form, Policy, Simulate};
pub use root::{AddProvider, Opening, Root};
pub use shred::Shred;

/// A self-hosted key management service that speaks the API of Alibaba Cloud KMS.
///
/// A key is named by its ID, its full name, or an alias with or without `alias/`. Results are for people; programs take
/// --output json, --field or --query.
#[derive(Parser)]
#[command(name = "jomae", version, propagate_version = true, max_term_width = 110)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// What a command takes that calls the service and shows its answer.
#[derive(ClapArgs)]
pub struct Remote {
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub show: Show,
}

/// How a result is shown.
#[derive(ClapArgs, Default)]
pub struct Show {
    /// Form of the output.
    #[arg(long, global = true, value_enum, value_name = "FORM", help_heading = "Output")]
    pub output: Option<OutputForm>,
    /// Show only this member of the result, as plain text, one value a line: `KeyId`, or `KeyMetadata.KeyId`.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Output", conflicts_with = "query")]
    pub field: Option<String>,
    /// Show what a JMESPath expression makes of the result.
    #[arg(long, global = true, value_name = "EXPRESSION", help_heading = "Output")]
    pub query: Option<String>,
}

/// For what destroys something.
#[derive(ClapArgs)]
pub struct Confirmed {
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// Where the service is and who calls it: usually from the file `env` of the data directory (`. ./jomae-data/env`).
#[derive(ClapArgs)]
pub struct Connection {
    /// Address of the service, https://host:port.
    #[arg(long, env = "JOMAE_ENDPOINT", global = true, value_name = "URL", help_heading = "Connection")]
    pub endpoint: Option<String>,
    /// PEM file of the CA to trust instead of the system's.
    #[arg(long, env = "JOMAE_CA_FILE", global = true, value_name = "FILE", help_heading = "Connection")]
    pub ca_file: Option<String>,
    /// Region of the keys, which the service must serve [default: cn-hangzhou].
    #[arg(long, env = "JOMAE_REGION", global = true, value_name = "ID", help_heading = "Connection")]
    pub region: Option<String>,
    /// Security token of temporary credentials (STS).
    #[arg(
        long,
        env = "ALIBABA_CLOUD_SECURITY_TOKEN",
        hide_env_values = true,
        global = true,
        value_name = "TOKEN",
        help_heading = "Connection"
    )]
    pub security_token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// The answer as JSON.
    Json,
    /// A table for people.
    Table,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the service.
    Serve(Serve),
    /// Not for people: the process of `serve` that has the PKCS#11 module loaded.
    #[command(hide = true)]
    HsmWorker,
    /// Call any action of the API: jomae call Encrypt --KeyId alias/x --Plaintext @server.key
    Call(Call),
    /// Encrypt a password, a private key or other small data, up to 6144 bytes.
    Encrypt(Encrypt),
    /// Decrypt what `encrypt` made, or any CiphertextBlob of Encrypt.
    Decrypt(Decrypt),
    /// Make and manage keys.
    Key {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: Key,
    },
    /// Give keys names.
    Alias {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: Alias,
    },
    /// Encrypt and decrypt local files of any size; the data never leaves this machine.
    File {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: File,
    },
    /// Let somebody in to the console, the service's pages for a browser.
    Console {
        #[command(subcommand)]
        command: Console,
    },
    /// Make users, say what they may do, and manage their access keys.
    User {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: User,
    },
    /// Manage groups of users.
    Group {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: Group,
    },
    /// Manage roles, which others assume.
    Role {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: Role,
    },
    /// Work as a role, with temporary credentials.
    Session {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: Session,
    },
    /// Make accounts (tenants) and their first access keys.
    Account {
        #[command(flatten)]
        show: Show,
        #[command(subcommand)]
        command: Account,
    },
    /// Check policies, and try them out.
    Policy {
        #[command(flatten)]
        show: Show,
        #[command(subcommand)]
        command: Policy,
    },
    /// Search the audit log, check it, and prove what it holds.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// Make backups, list them, and read them to their end.
    Backup {
        #[command(subcommand)]
        command: Backup,
    },
    /// Make a data directory from a backup and what opens it.
    Restore(Restore),
    /// Restore a backup into a directory that is thrown away, to see that it can be, and write a signed report.
    Drill(Drill),
    /// Examine a data directory; changes nothing.
    Doctor(ConfigArgs),
    /// Ask the service of this machine whether it can serve.
    Health(Health),
    /// Move the store to another kind.
    Store {
        #[command(subcommand)]
        command: Store,
    },
    /// Manage the nodes of a cluster.
    Cluster {
        #[command(subcommand)]
        command: Cluster,
    },
    /// Manage what opens the store: the slots of the root key.
    Root {
        #[command(subcommand)]
        command: Root,
    },
    /// Manage the keys by whose destruction older backups lose what was destroyed.
    Shred {
        #[command(subcommand)]
        command: Shred,
    },
    /// Manage the keys that protect the store.
    DomainKey {
        #[command(subcommand)]
        command: DomainKey,
    },
    /// Print shell completions.
    Completions { shell: clap_complete::Shell },
    /// Show the manual page of a command, or write those of all commands to a directory.
    Man {
        /// The command, such as `key create`.
        command: Vec<String>,
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        directory: Option<PathBuf>,
        /// Print the reference of all commands, in Markdown.
        #[arg(long, hide = true)]
        reference: bool,
    },
}

/// Where a data directory is, and how it is set up.
#[derive(ClapArgs, Clone)]
pub struct ConfigArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "JOMAE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Directory of keys, certificates and audit log [default: ./jomae-data].
    #[arg(long, value_name = "DIR", env = "JOMAE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct Health {
    /// Address of health and metrics.
    #[arg(long, value_name = "URL", env = "JOMAE_ADMIN", default_value = "http://127.0.0.1:8444")]
    pub admin: String,
}

#[derive(ClapArgs)]
pub struct Serve {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Address or name of the API [default: 127.0.0.1:8443]; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<ListenAddress>,
    /// Address or name of health, readiness and metrics [default: 127.0.0.1:8444].
    #[arg(long, value_name = "ADDR:PORT")]
    pub admin_listen: Option<ListenAddress>,
    /// Address or name of the console in a browser; without it there is none.
    #[arg(long, value_name = "ADDR:PORT")]
    pub console_listen: Option<ListenAddress>,
    /// An account whose people see the service itself (DescribeServer, and its pages in the console): 16 digits, or `only`, the
    /// account that is the only one. Several times for several.
    #[arg(long, value_name = "ACCOUNT")]
    pub operator_account: Vec<String>,
    /// Region of the service [default: cn-hangzhou].
    #[arg(long, value_name = "ID")]
    pub region: Option<String>,
    /// Begin a new audit log in the place of one that is gone; its first event says so. For one start only.
    #[arg(long)]
    pub new_audit_log: bool,
    /// Go on with a store that is older than was promised, or was changed beside the service; an event says so. For one start only.
    #[arg(long)]
    pub accept_rollback: bool,
    /// Take a weak passphrase for a new root key all the same.
    #[arg(long)]
    pub insecure: bool,
}

#[derive(Subcommand)]
pub enum Console {
    /// Make a link that signs in to the console, once, within 15 minutes. The service must be running.
    Link {
        /// The account's 16 digits [default: the only account].
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// A RAM user of the account, who then has his own rights only [default: the account itself].
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(ClapArgs)]
#[command(disable_help_flag = true)]
pub struct Call {
    #[command(flatten)]
    pub remote: Remote,
    #[expect(clippy::doc_markdown, reason = "the help text shows it as it stands here")]
    /// Name of the action, e.g. DescribeKey; --list shows all.
    #[arg(index = 1, allow_hyphen_values = true)]
    pub action: String,
    /// Parameters as --Name value. @FILE takes the content of a file (Base64 is added where the parameter wants it),
    /// @- that of standard input, @@ begins a value with @.
    #[arg(index = 2, trailing_var_arg = true, allow_hyphen_values = true, value_name = "--Name value")]
    pub parameters: Vec<String>,
}

#[derive(ClapArgs)]
pub struct Encrypt {
    #[command(flatten)]
    pub connection: Connection,
    /// Key to use: an alias, with or without alias/, or an ID.
    #[arg(long)]
    pub key: String,
    #[command(flatten)]
    pub data: SmallData,
    /// Write the ciphertext as bytes, not as Base64.
    #[arg(long)]
    pub raw: bool,
}

#[derive(ClapArgs)]
pub struct Decrypt {
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub data: SmallData,
}

#[derive(ClapArgs)]
pub struct SmallData {
    /// The file to read [default: standard input].
    #[arg(long = "in", short = 'i', value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The file to write; what is decrypted can be read by you alone [default: standard output].
    #[arg(long = "out", short = 'o', value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A pair of the encryption context, NAME=VALUE; may be given often. Decrypt needs the same pairs.
    #[arg(long = "context", value_name = "NAME=VALUE")]
    pub context: Vec<String>,
    /// Replace the output if it is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Subcommand)]
pub enum Key {
    /// Make a key.
    Create {
        #[arg(long, default_value = "")]
        description: String,
        /// Give it this name, e.g. orders or alias/orders.
        #[arg(long)]
        alias: Option<String>,
        /// Rotate by itself, e.g. every 365d or 52w.
        #[arg(long, value_name = "INTERVAL")]
        rotate_every: Option<String>,
        /// Kind of key, e.g. RSA_2048 [default: `Aliyun_AES_256`].
        #[arg(long)]
        spec: Option<String>,
        /// What it may do, e.g. ENCRYPT/DECRYPT.
        #[arg(long)]
        usage: Option<String>,
        /// Where its material lives: SOFTWARE, or HSM for the token of the service [default: SOFTWARE].
        #[arg(long, value_name = "LEVEL")]
        protection_level: Option<String>,
        /// Its material will be brought by `jomae key import`.
        #[arg(long)]
        external: bool,
    },
    /// Give an external key its material, from a file: raw bytes, DER or PEM.
    Import {
        key: String,
        #[arg(long, value_name = "FILE")]
        material: PathBuf,
        /// When the service shall forget the material: a date, a moment, Unix seconds, or in how long, such as 90d.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Kind of the wrapping key: `RSA_2048`, `RSA_4096` or `EC_SM2`.
        #[arg(long, value_name = "SPEC", default_value = "RSA_2048")]
        wrapping: String,
        /// How to wrap [default: what fits the material].
        #[arg(long, value_name = "NAME")]
        algorithm: Option<String>,
    },
    /// Wrap key material under a public key from `GetParametersForImport`; needs no service.
    Wrap {
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
        #[arg(long, value_name = "FILE")]
        material: PathBuf,
        #[arg(long, value_name = "NAME", default_value = "RSAES_OAEP_SHA_256")]
        algorithm: String,
    },
    /// Make a new version now.
    Rotate { key: String },
    /// List the versions of a key, newest first.
    Versions { key: String },
    /// Tell what a key has been used for.
    Usage { key: String },
    /// List all keys.
    List {
        /// Only keys in this state, e.g. Enabled.
        #[arg(long)]
        state: Option<String>,
        /// Show spec and description too, by a call for each key.
        #[arg(long)]
        long: bool,
    },
    /// Show a key.
    Describe { key: String },
    /// Change the description.
    SetDescription { key: String, description: String },
    /// Let a disabled key work again.
    Enable { key: String },
    /// Stop every use of a key.
    Disable { key: String },
    /// Destroy a key after a waiting period; what was encrypted under it is then lost.
    ScheduleDeletion {
        key: String,
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(7..=366))]
        days: u32,
        #[command(flatten)]
        confirmed: Confirmed,
    },
    /// Rescue a key that waits for its deletion.
    CancelDeletion { key: String },
    /// Refuse deletion of a key until `unprotect`.
    Protect {
        key: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Allow deletion of a key again.
    Unprotect { key: String },
}

#[derive(Subcommand)]
pub enum Alias {
    /// Give a key a name.
    Create { alias: String, key: String },
    /// Point a name at another key.
    Update { alias: String, key: String },
    /// Take a name away; the key stays.
    Delete { alias: String },
    /// List all names, or those of one key.
    List { key: Option<String> },
}

#[derive(Subcommand)]
pub enum File {
    /// Encrypt a file under a data key of the service.
    Encrypt {
        /// Key to use: an alias, with or without alias/, or an ID.
        #[arg(long)]
        key: String,
        #[command(flatten)]
        data: Data,
    },
    /// Decrypt a file that `file encrypt` made.
    Decrypt {
        #[command(flatten)]
        data: Data,
    },
    /// Show what an encrypted file says of itself; needs no service.
    Inspect {
        /// The file; - is standard input.
        input: PathBuf,
    },
}

#[derive(ClapArgs)]
pub struct Data {
    /// The file to read; - is standard input.
    pub input: PathBuf,
    /// The file to write; - is standard output [default: INPUT.jomae, or INPUT without .jomae].
    pub target: Option<PathBuf>,
    /// The same as TARGET.
    #[arg(long = "out", short = 'o', value_name = "TARGET", conflicts_with = "target")]
    pub out: Option<PathBuf>,
    /// A pair of the encryption context, NAME=VALUE; may be given often. Decrypt needs the same pairs.
    #[arg(long = "context", value_name = "NAME=VALUE")]
    pub context: Vec<String>,
    /// Replace the output if it is there.
    #[arg(long)]
    pub force: bool,
    /// Show no progress.
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Subcommand)]
pub enum Store {
    /// Copy every record from SQLite to etcd, or from etcd to SQLite; all services on both must be stopped.
    ///
    /// Every record is opened before, and read back after. A copy that was interrupted is taken up by the same command;
    /// until it is done, no service starts on it. The source is not changed.
    Copy {
        /// Configuration of the service as it is: data directory, store, root key.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Configuration of the service as it will be. Its root key must be the same, and its store empty.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Show no progress.
        #[arg(long)]
        quiet: bool,
    },
}

#[derive(Subcommand)]
pub enum DomainKey {
    /// Make a new domain key, under which everything new is sealed. The service must be stopped.
    Rotate(ConfigArgs),
}
