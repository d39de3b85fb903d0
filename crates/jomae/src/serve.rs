//! `jomae serve`, and the configuration that the offline commands share with it.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStringExt as _, process::CommandExt as _},
    },
    path::Path,
    process::Command,
};

use jomae_server::{
    bootstrap::StartError,
    config::Config,
    daemon::{self, Source},
    root_key::{PASSPHRASE_BYTES_MAX, PASSPHRASE_PIPE_VARIABLE, PASSPHRASE_VARIABLE},
};
use zeroize::Zeroizing;

use crate::{
    args::{ConfigArgs, Serve},
    output::Failure,
};

/// Serves.
pub fn run(serve: Serve) -> Result<(), Failure> {
    hide_passphrase()?;
    let Serve {
        config: args,
        listen,
        admin_listen,
        console_listen,
        operator_account,
        region,
        new_audit_log,
        accept_rollback,
        insecure,
    } = serve;
    let (file, is_named) = (args.config.clone(), args.data_dir.is_some());
    let flags = Box::new(move |mut config: Config| {
        if let Some(data_dir) = &args.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        if let Some(region) = &region {
            config.region.clone_from(region);
        }
        if let Some(listen) = &listen {
            config.listen.clone_from(listen);
        }
        if let Some(admin_listen) = &admin_listen {
            config.admin_listen.clone_from(admin_listen);
        }
        if console_listen.is_some() {
            config.console_listen.clone_from(&console_listen);
        }
        if !operator_account.is_empty() {
            config.operator_accounts.clone_from(&operator_account);
        }
        config.audit.begin_new = new_audit_log;
        config.accept_rollback = accept_rollback;
        config.root_key.insecure = insecure;
        config
    });
    let source = Source { file, flags };
    if !is_named {
        let config = source.read().map_err(|error| Failure::Local(error.to_string()))?;
        refuse_a_second(&config.data_dir, Path::new(STANDING))?;
    }
    daemon::serve(&source).map_err(|error| match &error {
        StartError::RootKey(why) if why.needs_operator() => Failure::Operator(error.to_string()),
        _ => Failure::Local(error.to_string()),
    })
}

/// Takes the passphrase out of the environment, which the system shows as it was when the process began: the program is
/// begun anew without it, in the same process, and gets it through a pipe.
fn hide_passphrase() -> Result<(), Failure> {
    let Some(passphrase) = std::env::var_os(PASSPHRASE_VARIABLE) else { return Ok(()) };
    let passphrase = Zeroizing::new(passphrase.into_vec());
    let failed = |error: io::Error| Failure::Local(format!("{PASSPHRASE_VARIABLE}: {error}"));
    if passphrase.len() > PASSPHRASE_BYTES_MAX {
        return Err(Failure::Local(format!("{PASSPHRASE_VARIABLE} is longer than {PASSPHRASE_BYTES_MAX} bytes")));
    }
    // The reading end stays open over the start; a pipe holds far more than that.
    let (reading, writing) = rustix::pipe::pipe().map_err(|error| failed(error.into()))?;
    File::from(writing).write_all(&passphrase).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let error = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env_remove(PASSPHRASE_VARIABLE)
        .env(PASSPHRASE_PIPE_VARIABLE, reading.as_raw_fd().to_string())
        .exec();
    Err(failed(error))
}

/// Where packages keep the data.
const STANDING: &str = "/var/lib/jomae";

/// The default directory follows the working directory: started elsewhere, it would be a new and empty service where one
/// stands.
fn refuse_a_second(dir: &Path, standing: &Path) -> Result<(), Failure> {
    if dir != Config::default().data_dir || dir.exists() || !standing.exists() {
        return Ok(());
    }
    let (dir, standing) = (dir.display(), standing.display());
    Err(Failure::Usage(format!(
        "this machine has a service in {standing}, and {dir} is not there: jomae serve --data-dir {standing} serves that \
         one, --data-dir {dir} makes a new one"
    )))
}

/// The configuration of a data directory.
pub fn config(args: &ConfigArgs) -> Result<Config, Failure> {
    let mut config = match &args.config {
        Some(path) => Config::read(path).map_err(|error| Failure::Local(error.to_string()))?,
        None => Config::default(),
    };
    if let Some(data_dir) = &args.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_new_service_where_one_stands() {
        let standing = tempfile::tempdir().unwrap();
        let default = Config::default().data_dir;
        let Err(Failure::Usage(told)) = refuse_a_second(&default, standing.path()) else { panic!("a second one") };
        assert!(told.contains(&standing.path().display().to_string()) && told.contains("--data-dir ./jomae-data"));
        assert!(refuse_a_second(&default, &standing.path().join("none")).is_ok());
        assert!(refuse_a_second(standing.path(), standing.path()).is_ok());
        assert!(refuse_a_second(Path::new("/srv/jomae"), standing.path()).is_ok());
    }
}
