//! `jomae`: the key service and its command line.

mod account;
mod args;
mod audit;
mod backup;
mod call;
mod cluster;
mod confirm;
mod connect;
mod console;
mod crypt;
mod document;
mod env_file;
mod explain;
mod file;
mod health;
mod help;
mod import;
mod keys;
mod names;
mod operate;
mod output;
mod people;
mod policy;
mod root;
mod serve;
mod show;
mod shred;
mod signals;
mod times;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use args::{Args, Command};
use output::Failure;

fn main() -> ExitCode {
    keep_secrets_out_of_core_dumps();
    let args = Args::from_arg_matches(&help::command().get_matches()).unwrap_or_else(|error| error.exit());
    if matches!(args.command, Command::HsmWorker) {
        return jomae_hsm::worker::run();
    }
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve::run(serve),
        // Its exit status is its own.
        Command::HsmWorker => Ok(()),
        Command::Call(call) => call::run(&call),
        Command::Encrypt(encrypt) => crypt::encrypt(&encrypt),
        Command::Decrypt(decrypt) => crypt::decrypt(&decrypt),
        Command::Key { remote, command } => keys::key(&remote, command),
        Command::Alias { remote, command } => keys::alias(&remote, command),
        Command::File { remote, command } => file::run(&remote, command),
        Command::Console { command } => console::run(&command),
        Command::User { remote, command } => people::user(&remote, command),
        Command::Group { remote, command } => people::group(&remote, command),
        Command::Role { remote, command } => people::role(&remote, command),
        Command::Session { remote, command } => people::session(&remote, command),
        Command::Account { show, command } => account::run(&show, &command),
        Command::Policy { show, command } => policy::run(&show, &command),
        Command::Audit { command } => audit::run(command),
        Command::Backup { command } => backup::run(&command),
        Command::Restore(restore) => backup::restore(&restore),
        Command::Drill(drill) => backup::drill(&drill),
        Command::Doctor(config) => operate::doctor(&config),
        Command::Health(arguments) => health::run(&arguments),
        Command::Store { command } => operate::store(&command),
        Command::Cluster { command } => cluster::run(&command),
        Command::Root { command } => root::run(&command),
        Command::Shred { command } => shred::run(&command),
        Command::DomainKey { command } => operate::domain_key(&command),
        Command::Completions { shell } => document::completions(shell),
        Command::Man { reference: true, .. } => document::reference(),
        Command::Man { directory: Some(directory), .. } => document::man_all(&directory),
        Command::Man { command, .. } => document::man(&command),
    }
}

/// A core dump would hold every key in memory.
fn keep_secrets_out_of_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // Both are refinements: where the system refuses them, serving is still right.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
