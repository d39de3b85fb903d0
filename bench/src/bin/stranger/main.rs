//! A stranger who does at once what a stranger may try, and a neighbour whose calls are timed meanwhile.
//!
//! Prints `name=value` pairs; the names carry the units.

mod attacks;
mod calls;
mod neighbour;
mod prepare;

use std::{io::Write as _, net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::calls::{Caller, Failure, Target};

#[derive(Parser)]
#[command(about = "Attacks a KMS endpoint of the same machine from one address, or times a neighbour's calls")]
struct Options {
    #[command(flatten)]
    target: TargetOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct TargetOptions {
    /// `https://HOST:PORT`; an address of this machine's loopback.
    #[arg(long, env = "JOMAE_ENDPOINT")]
    endpoint: String,
    /// The CA that the server's certificate is from.
    #[arg(long, env = "JOMAE_CA_FILE")]
    ca_file: PathBuf,
    #[arg(long, env = "ALIBABA_CLOUD_ACCESS_KEY_ID")]
    access_key_id: String,
    #[arg(long, env = "ALIBABA_CLOUD_ACCESS_KEY_SECRET", hide_env_values = true)]
    access_key_secret: String,
    /// The address that connections come from.
    #[arg(long, default_value = "127.0.0.1")]
    from: IpAddr,
}

#[derive(Subcommand)]
enum Command {
    /// Makes what the attacks need: a key, and a user with as many costly policies as the service takes.
    Prepare {
        /// The user's access key and the key's id, one in a line, go to this new file.
        #[arg(long)]
        out: PathBuf,
    },
    /// Attacks until the time is over.
    Attack {
        /// What `prepare` wrote.
        #[arg(long)]
        user_file: PathBuf,
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// One attack alone, by its number; 0 computes and attacks nobody.
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..=i64::from(attacks::LAST)))]
        only: Option<u8>,
    },
    /// Encrypts at a fixed rate on kept connections and times each call.
    Neighbour {
        #[arg(long)]
        keys_file: PathBuf,
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// Calls a second, of all connections together.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        per_sec: u32,
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
        connections: u32,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(options))) {
        Ok(text) if writeln!(std::io::stdout(), "{text}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stranger: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<String, Failure> {
    let TargetOptions { endpoint, ca_file, access_key_id, access_key_secret, from } = options.target;
    let target = Target::new(&endpoint, &ca_file, from).await?;
    let caller = Caller { access_key_id, secret: access_key_secret };
    match options.command {
        Command::Prepare { out } => prepare::prepare(&target, &caller, &out).await,
        Command::Attack { user_file, seconds, only } => {
            let (user, key) = prepare::read(&user_file)?;
            Ok(attacks::run(target, caller, user, key, Duration::from_secs(seconds), only).await)
        }
        Command::Neighbour { keys_file, seconds, per_sec, connections } => {
            let text = std::fs::read_to_string(keys_file)?;
            let key = text.lines().next().ok_or("the file of keys is empty")?.to_owned();
            let pace = neighbour::Pace { per_sec, connections, lasts: Duration::from_secs(seconds) };
            neighbour::run(target, caller, key, pace).await
        }
    }
}
