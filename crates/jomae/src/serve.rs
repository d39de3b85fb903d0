//! `jomae serve`, and the configuration that the offline commands share with it.

use jomae_server::{
    config::Config,
    daemon::{self, Source},
};

use crate::{
    args::{ConfigArgs, Serve},
    output::Failure,
};

/// Serves. `region` is the flag of the command line, if it was given there: what a shell has sourced for calling some
/// service must not decide the region of this one.
pub fn run(serve: Serve, region: Option<String>) -> Result<(), Failure> {
    let Serve { config: args, listen, admin_listen, new_audit_log } = serve;
    let file = args.config.clone();
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
        config.audit.begin_new = new_audit_log;
        config
    });
    daemon::serve(&Source { file, flags }).map_err(|error| Failure::Local(error.to_string()))
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
