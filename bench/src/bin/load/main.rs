//! The load generator: signs every request freshly and keeps its connections alive.
//!
//! Prints one line of `name=value` pairs; the names carry the units.

mod callers;
mod drive;
mod request;
mod target;
mod wire;

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    drive::{End, Failure, Plan},
    request::{Call, Credentials, Signer, Work, post},
    target::Target,
};

/// What `CreateKey` makes if nothing else is asked for.
const DEFAULT_SPEC: &str = "Aliyun_AES_256";

#[derive(Parser)]
#[command(about = "Loads a KMS endpoint with signed requests and measures what they cost")]
struct Options {
    #[command(flatten)]
    target: TargetOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct TargetOptions {
    /// `https://HOST:PORT`.
    #[arg(long, env = "JOMAE_ENDPOINT")]
    endpoint: String,
    /// The CA that the server's certificate is from.
    #[arg(long, env = "JOMAE_CA_FILE")]
    ca_file: PathBuf,
    #[arg(long, env = "ALIBABA_CLOUD_ACCESS_KEY_ID")]
    access_key_id: String,
    #[arg(long, env = "ALIBABA_CLOUD_ACCESS_KEY_SECRET", hide_env_values = true)]
    access_key_secret: String,
    /// Of temporary credentials.
    #[arg(long, env = "ALIBABA_CLOUD_SECURITY_TOKEN", hide_env_values = true)]
    security_token: Option<String>,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    #[arg(long, value_enum, default_value_t = SchemeName::V1)]
    scheme: SchemeName,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemeName {
    V1,
    Acs3,
}

#[derive(Subcommand)]
enum Command {
    /// Sends one action over and over, each connection waiting for its answer, and measures.
    Run(RunOptions),
    /// Creates keys and writes their ids to a file, one in a line.
    CreateKeys {
        #[arg(long)]
        count: usize,
        #[arg(long, default_value = DEFAULT_SPEC)]
        spec: String,
        #[arg(long)]
        out: PathBuf,
    },
    /// Makes RAM users that may do everything with keys, with two access keys each, and writes these to a file: id and
    /// secret in a line.
    CreateUsers {
        #[arg(long)]
        count: u32,
        #[arg(long)]
        out: PathBuf,
    },
    /// Makes a RAM user and a session of a role, each with policies that let it encrypt, and writes their credentials to
    /// the files `user` and `session` of a directory, as lines for a shell.
    CreateCallers {
        #[arg(long)]
        out_dir: PathBuf,
    },
}

#[derive(Args)]
struct RunOptions {
    #[arg(long, value_enum, default_value_t = ActionName::Encrypt)]
    action: ActionName,
    /// Ids of the keys to use in turn, one in a line. Needed by every action that uses keys.
    #[arg(long)]
    keys_file: Option<PathBuf>,
    /// How many of them, from the first.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    keys_max: usize,
    /// The page that list-keys asks for, of 100 keys each.
    #[arg(long, default_value_t = 1)]
    page: u32,
    /// Access keys that sign in turn, from `create-users`.
    #[arg(long)]
    callers_file: Option<PathBuf>,
    /// Send so many requests a second, of all connections together, whenever the answers come, and count each one's
    /// latency from when it was due.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    per_sec: Option<u32>,
    /// Connections beside the busy ones, which get one answer each, and one more at the end.
    #[arg(long, default_value_t = 0)]
    idle: u16,
    /// How long to send before measuring.
    #[arg(long, default_value_t = 1000)]
    warm_up_ms: u64,
    /// How long to measure.
    #[arg(long, default_value_t = 5000, conflicts_with = "requests")]
    duration_ms: u64,
    /// Measure for so many requests instead.
    #[arg(long)]
    requests: Option<u64>,
    /// The server's process, to read its CPU time and memory.
    #[arg(long)]
    server_pid: u32,
    /// The target is the bare server: sign one request, repeat it, and do not look into the answers.
    #[arg(long)]
    bare: bool,
    /// The target is somebody else's server: send this path the body and headers that are given, unsigned, and look at
    /// the status of its answers only.
    #[arg(long, conflicts_with = "bare", requires = "body_file")]
    post: Option<String>,
    /// What is posted.
    #[arg(long, requires = "post")]
    body_file: Option<PathBuf>,
    /// `NAME: VALUE`; any number of them.
    #[arg(long, requires = "post")]
    header: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ActionName {
    Encrypt,
    Decrypt,
    GenerateDataKey,
    Describe,
    Sign,
    CreateKey,
    ListKeys,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    let target = Target::new(&options.target.endpoint, &options.target.ca_file)?;
    let signer = Signer::new(
        match options.target.scheme {
            SchemeName::V1 => jomae_api::sign::Scheme::RpcV1HmacSha1,
            SchemeName::Acs3 => jomae_api::sign::Scheme::Acs3HmacSha256,
        },
        Credentials {
            access_key_id: options.target.access_key_id.clone(),
            secret: options.target.access_key_secret.clone(),
            security_token: options.target.security_token.clone(),
        },
        target.host(),
    );
    let connections = options.target.connections;
    match &options.command {
        Command::Run(run) => measure(target, signer, connections, run).await,
        Command::CreateKeys { count, spec, out } => {
            let ids = drive::create_keys(target, signer, connections, *count, spec).await?;
            let mut text = ids.join("\n");
            text.push('\n');
            Ok(fs::write(out, text)?)
        }
        Command::CreateUsers { count, out } => callers::create_users(&target, signer, connections, *count, out).await,
        Command::CreateCallers { out_dir } => callers::create(&target, &signer, out_dir).await,
    }
}

async fn measure(target: Target, signer: Signer, connections: u16, options: &RunOptions) -> Result<(), Failure> {
    let plan = Plan {
        connections,
        idle: options.idle,
        every: options.per_sec.map(|per_sec| Duration::from_secs(1) / per_sec),
        warm_up: Duration::from_millis(options.warm_up_ms),
        end: options.requests.map_or(End::After(Duration::from_millis(options.duration_ms)), End::Requests),
        server_pid: options.server_pid,
    };
    let work = work(&target, signer, options).await?;
    let measured = drive::measure(target, work, &plan).await?;
    writeln!(std::io::stdout(), "{measured}")?;
    match measured.first_refusal {
        Some(refusal) => Err(format!("{} answers were not 200; the first: {refusal}", measured.refused).into()),
        None => Ok(()),
    }
}

async fn work(target: &Target, signer: Signer, options: &RunOptions) -> Result<Work, Failure> {
    if let (Some(path), Some(body_file)) = (&options.post, &options.body_file) {
        return Ok(Work::Repeated(post(target.host(), path, &options.header, &fs::read(body_file)?)));
    }
    let calls: Vec<Call> = match options.action {
        ActionName::Encrypt => keys(options)?.into_iter().map(Call::Encrypt).collect(),
        ActionName::GenerateDataKey => keys(options)?.into_iter().map(Call::GenerateDataKey).collect(),
        ActionName::Describe => keys(options)?.into_iter().map(Call::Describe).collect(),
        ActionName::Decrypt => drive::ciphertexts(target, &signer, keys(options)?).await?,
        ActionName::Sign => drive::signatures(target, &signer, keys(options)?).await?,
        ActionName::CreateKey => vec![Call::CreateKey(DEFAULT_SPEC.to_owned())],
        ActionName::ListKeys => vec![Call::ListKeys(options.page.to_string())],
    };
    if options.bare {
        return Ok(Work::repeated(&signer, &calls)?);
    }
    let signers = match &options.callers_file {
        Some(path) => callers::read(path)?.into_iter().map(|credentials| signer.of(credentials)).collect(),
        None => vec![signer],
    };
    Ok(Work::signed(signers, calls))
}

fn keys(options: &RunOptions) -> Result<Vec<String>, Failure> {
    let path = options.keys_file.as_ref().ok_or("this action needs --keys-file")?;
    let text = fs::read_to_string(path)?;
    let keys: Vec<String> = text.lines().take(options.keys_max).map(str::to_owned).collect();
    if keys.is_empty() { Err("the file of keys is empty".into()) } else { Ok(keys) }
}
