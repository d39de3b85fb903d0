//! `jomae`: the key service and its command line.

mod account;
mod args;
mod audit;
mod call;
mod connect;
mod crypt;
mod document;
mod explain;
mod file;
mod import;
mod keys;
mod names;
mod operate;
mod output;
mod policy;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, parser::ValueSource};

use args::{Args, Command};
use output::Failure;

fn main() -> ExitCode {
    keep_secrets_out_of_core_dumps();
    let matches = Args::command().get_matches();
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    let region_source = matches.subcommand().and_then(|(_, command)| command.value_source("region"));
    match run(args, region_source == Some(ValueSource::CommandLine)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(args: Args, region_is_flag: bool) -> Result<(), Failure> {
    let Args { connection, command } = args;
    match command {
        Command::Serve(serve) => serve::run(serve, connection.region.filter(|_| region_is_flag)),
        Command::Call(call) => call::run(&connection, &call),
        Command::Encrypt(encrypt) => crypt::encrypt(&connection, &encrypt),
        Command::Decrypt(decrypt) => crypt::decrypt(&connection, &decrypt),
        Command::Key { command } => keys::key(&connection, command),
        Command::Alias { command } => keys::alias(&connection, command),
        Command::File { command } => file::run(&connection, command),
        Command::Account { command } => account::run(&connection, &command),
        Command::Policy { command } => policy::run(&connection, &command),
        Command::Audit { command } => audit::run(&connection, command),
        Command::Backup(backup) => operate::backup(&backup),
        Command::Restore(restore) => operate::restore(&restore),
        Command::Doctor(config) => operate::doctor(&config),
        Command::DomainKey { command } => operate::domain_key(&command),
        Command::Completions { shell } => document::completions(shell),
        Command::Man { directory } => document::man(directory.as_deref()),
    }
}

/// A core dump would hold every key in memory.
fn keep_secrets_out_of_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // Both are refinements: where the system refuses them, serving is still right.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
