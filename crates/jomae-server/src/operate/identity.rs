//! What clients know a service by: the private certificate authority, and `env` with the first AccessKey pair. In a copy as
//! versions before have made them, sealed as the records are.

use std::{collections::BTreeMap, path::Path};

use jomae_core::tx::Vault;
use zeroize::Zeroize;

use super::{OperateError, io_error};
use crate::{
    bootstrap::env_path,
    certificates::{ca_key_path, ca_path},
    config::Config,
    files,
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
pub(crate) fn missing(config: &Config) -> Result<Vec<String>, OperateError> {
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
