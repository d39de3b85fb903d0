//! Owner and mode of the data directory and of every secret, looked at before anything is read.
//!
//! Who can write the data directory can put a root key of his own there; who can read a secret has it.

use std::path::{Path, PathBuf};

use crate::{
    bootstrap::env_path,
    config::{Config, RootKeyProvider},
    files::{self, NotPrivate, Secret},
};

/// The secrets that a configuration has, with where they come from. Not all of them must be there.
fn secrets(config: &Config) -> Vec<(PathBuf, Secret)> {
    let ours = |path: PathBuf| (path, Secret::Ours);
    let configured = |path: &PathBuf| (path.clone(), Secret::Configured);
    let mut secrets = vec![ours(env_path(&config.data_dir))];
    for provider in &config.root_key.providers {
        match provider {
            RootKeyProvider::File => secrets.push(root_key(config)),
            RootKeyProvider::Passphrase => secrets.extend(config.root_key.passphrase_file.as_ref().map(configured)),
            RootKeyProvider::Shares => secrets.extend(config.root_key.share_files.iter().map(configured)),
            // The PIN is a secret of the token.
            RootKeyProvider::Pkcs11 => {}
            RootKeyProvider::Kms => {
                secrets.extend(config.root_key.kms.as_ref().map(|kms| configured(&kms.credentials_file)));
            }
        }
    }
    secrets.extend(config.hsm.as_ref().map(|hsm| configured(&hsm.pin_file)));
    secrets.extend(config.store.key_file.as_ref().map(configured));
    match &config.tls.key_file {
        Some(path) => secrets.push(configured(path)),
        None => secrets.extend(["ca.key", "server.key"].map(|name| ours(config.data_dir.join("tls").join(name)))),
    }
    secrets
}

/// Where the root key file is, and whether the configuration says so.
pub(crate) fn root_key(config: &Config) -> (PathBuf, Secret) {
    let place = if config.root_key.file.is_some() { Secret::Configured } else { Secret::Ours };
    (config.root_key_file(), place)
}

fn check_secret(path: &Path, secret: Secret) -> Result<(), NotPrivate> {
    match files::open_secret(path, secret) {
        // Whoever needs it says so.
        Err(NotPrivate::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map(drop),
    }
}

/// Everything that is not private but should be, of what is there.
pub(crate) fn findings(config: &Config) -> Vec<NotPrivate> {
    let dir = files::check_data_dir(&config.data_dir).err();
    let secrets = secrets(config).into_iter().filter_map(|(path, secret)| check_secret(&path, secret).err());
    dir.into_iter().chain(secrets).collect()
}

/// As [`findings`]; the first one.
pub(crate) fn check(config: &Config) -> Result<(), NotPrivate> {
    findings(config).into_iter().next().map_or(Ok(()), Err)
}
