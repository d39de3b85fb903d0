//! What clients know a service by: the private certificate authority, and `env` with the first AccessKey pair. In a
//! backup, if it is asked for, sealed as the records are.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use jomae_core::{keyring::Keyring, store::Store, tx::Vault};
use zeroize::{Zeroize, Zeroizing};

use super::{OperateError, io_error};
use crate::{
    bootstrap::{StartError, env_path},
    certificates::{ca_key_path, ca_path},
    config::Config,
    files, root_key,
    store::{Options, SqliteStore, backup_file},
};

/// In the backup.
const FILE: &str = "identity.sealed";
/// What it is bound to, as a record to its path.
const NAME: &str = "backup/identity";
/// Largest file of its parts, in bytes.
const PART_BYTES_MAX: usize = 64 * 1024;
/// Largest sealed file, in bytes: JSON may write six for one.
const FILE_BYTES_MAX: usize = 3 * 6 * PART_BYTES_MAX + 4096;
const ENV: &str = "env";
const CA: &str = "ca.pem";
const CA_KEY: &str = "tls/ca.key";

/// Puts what there is into a backup whose store is there already. Gives the names.
pub(super) async fn seal(config: &Config, to: &Path) -> Result<Vec<&'static str>, OperateError> {
    let dir = &config.data_dir;
    let mut parts = BTreeMap::new();
    let mut read = |name: &'static str, path: &Path| match files::read_limited(path, PART_BYTES_MAX) {
        Ok(content) => {
            parts.insert(name, String::from_utf8_lossy(&content).into_owned());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(path)(error)),
    };
    read(ENV, &env_path(dir))?;
    if config.tls.cert_file.is_none() {
        read(CA, &ca_path(dir))?;
        read(CA_KEY, &ca_key_path(dir))?;
    }
    let content =
        serde_json::to_vec(&parts).map(Zeroizing::new).map_err(|error| OperateError::Identity(error.to_string()));
    let names = parts.keys().copied().collect();
    parts.values_mut().for_each(Zeroize::zeroize);
    let sealed = keyring(config, to).await?.seal_record(NAME, &content?)?;
    let path = to.join(FILE);
    files::write_private(&path, &sealed).map_err(io_error(&path))?;
    Ok(names)
}

/// The keys of the store in a backup. They are read from a copy: opening a store leaves files beside it.
async fn keyring(config: &Config, backup: &Path) -> Result<Keyring, OperateError> {
    let scratch = tempfile::Builder::new().prefix("jomae-backup").tempdir_in(backup).map_err(io_error(backup))?;
    let copy = scratch.path().join("store.db");
    backup_file(&backup.join("store.db"), &copy)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&copy, &Options::default()).map_err(StartError::from)?);
    let root = root_key::open(config, &*store).await.map_err(StartError::from)?;
    Ok(Keyring::open(&*store, &root.root).await?)
}

/// Brings back what a backup has, into a new data directory.
pub(super) fn open(backup: &Path, config: &Config, vault: &Vault) -> Result<(), OperateError> {
    let path = backup.join(FILE);
    if !files::is_file(&path).map_err(io_error(&path))? {
        return Ok(());
    }
    let sealed = files::read_limited_of_others(&path, FILE_BYTES_MAX).map_err(io_error(&path))?;
    let opened = vault.keyring().open_record(NAME, &sealed);
    let opened =
        opened.map_err(|_| OperateError::Identity(format!("{} is damaged, or of another store", path.display())))?;
    let mut parts: BTreeMap<String, String> =
        serde_json::from_slice(opened.expose()).map_err(|error| OperateError::Identity(error.to_string()))?;
    let dir = &config.data_dir;
    files::private_dir(&dir.join("tls")).map_err(io_error(dir))?;
    for (name, path) in [(ENV, env_path(dir)), (CA_KEY, ca_key_path(dir))] {
        if let Some(part) = parts.get(name) {
            files::write_private(&path, part.as_bytes()).map_err(io_error(&path))?;
        }
    }
    if let Some(part) = parts.get(CA) {
        let path = ca_path(dir);
        files::write_public(&path, part.as_bytes()).map_err(io_error(&path))?;
    }
    parts.values_mut().for_each(Zeroize::zeroize);
    Ok(())
}

/// What a restored directory lacks, each with what follows and what to do.
pub(super) fn missing(config: &Config) -> Result<Vec<String>, OperateError> {
    let dir = &config.data_dir;
    let lacks = |path: &Path| files::is_file(path).map(|there| !there).map_err(io_error(path));
    let mut missing = Vec::new();
    let env = env_path(dir);
    if lacks(&env)? {
        missing.push(format!(
            "{}: put it back (chmod 600), or make another AccessKey pair: jomae account key ACCOUNT --env-file FILE",
            env.display()
        ));
    }
    let (ca, key) = (ca_path(dir), ca_key_path(dir));
    if config.tls.cert_file.is_none() && (lacks(&ca)? || lacks(&key)?) {
        missing.push(format!(
            "{} and {}: put both back (chmod 600 the second); otherwise the first start makes a NEW certificate \
             authority, and every client must be given the new ca.pem",
            ca.display(),
            key.display()
        ));
    }
    Ok(missing)
}
