//! Providers on this machine: a key file, and a passphrase.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use jomae_crypto::{
    root::{KEY_FILE_BYTES_MAX, PARAMS_LINE_BYTES_MAX, PassphraseError, PassphraseParams, RootMaterial},
    secret::Key256,
};
use zeroize::Zeroizing;

use super::{PASSPHRASE_BYTES_MAX, PASSPHRASE_PIPE_VARIABLE, PASSPHRASE_VARIABLE, RootKeyError};
use crate::{
    config::Config,
    files::{self, NotPrivate, Secret},
    guard,
};

/// Shortest passphrase of a new root key, in bytes.
pub(super) const NEW_PASSPHRASE_BYTES_MIN: usize = 16;
/// How many different bytes it has at least.
pub(super) const NEW_PASSPHRASE_DISTINCT_MIN: usize = 8;
/// Longest passphrase file, in bytes: a passphrase and its line end.
const PASSPHRASE_FILE_BYTES_MAX: usize = PASSPHRASE_BYTES_MAX + 2;

/// Where a store without slots has the parameters of its passphrase.
pub(crate) fn params_path(data_dir: &Path) -> PathBuf {
    data_dir.join("root.params")
}

fn copy(material: &RootMaterial) -> Result<Key256, RootKeyError> {
    Key256::from_slice(material.key().expose()).ok_or(RootKeyError::Passphrase(PassphraseError::OutOfMemory))
}

/// The key in a key file.
pub(super) fn of_key_file(content: &[u8], path: &Path) -> Result<Key256, RootKeyError> {
    let damaged = |source| RootKeyError::Damaged { path: path.display().to_string(), source };
    copy(&RootMaterial::from_key_file(content).map_err(damaged)?)
}

/// The key in the configured key file.
pub(super) fn from_file(config: &Config) -> Result<Key256, RootKeyError> {
    let (path, secret) = guard::root_key(config);
    match read_secret(&path, secret, KEY_FILE_BYTES_MAX)? {
        Some(content) => of_key_file(&content, &path),
        None => Err(RootKeyError::Missing { path: path.display().to_string() }),
    }
}

/// As [`from_file`]; makes the file if it is not there, and tells so.
pub(super) fn from_new_file(config: &Config) -> Result<(Key256, bool), RootKeyError> {
    match from_file(config) {
        Err(RootKeyError::Missing { path }) => {
            let key = RootMaterial::random();
            files::write_private(Path::new(&path), key.to_key_file().expose())
                .map_err(|source| RootKeyError::Write { path, source })?;
            Ok((copy(&key)?, true))
        }
        other => other.map(|key| (key, false)),
    }
}

/// The line of parameters of a store without slots.
pub(super) fn params_of_dir(data_dir: &Path) -> Result<String, RootKeyError> {
    let path = params_path(data_dir);
    let name = path.display().to_string();
    match files::read_limited(&path, PARAMS_LINE_BYTES_MAX) {
        Ok(content) => Ok(String::from_utf8_lossy(&content).trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(RootKeyError::Missing { path: name }),
        Err(source) => Err(RootKeyError::Read { path: name, source }),
    }
}

/// The key of the configured passphrase with these parameters, which stand in `place`.
pub(super) fn from_passphrase(config: &Config, params: &str, place: &str) -> Result<Key256, RootKeyError> {
    let params = PassphraseParams::from_line(params)
        .map_err(|source| RootKeyError::Params { path: place.to_owned(), source })?;
    let passphrase = passphrase(config)?;
    let passphrase = without_line_end(&passphrase);
    if is_weak(passphrase) {
        tracing::warn!("the passphrase of the root key is weak; whoever has a copy of the store can guess it offline");
    }
    copy(&RootMaterial::from_passphrase(passphrase, &params)?)
}

/// The key of the configured passphrase for a new slot, and its parameters.
pub(super) fn from_new_passphrase(config: &Config) -> Result<(Key256, String), RootKeyError> {
    let passphrase = passphrase(config)?;
    of_new_passphrase(&passphrase, config.root_key.insecure)
}

/// The key of a passphrase that is new, and its parameters. `insecure`: it may be weak.
pub(super) fn of_new_passphrase(passphrase: &[u8], insecure: bool) -> Result<(Key256, String), RootKeyError> {
    let passphrase = without_line_end(passphrase);
    if passphrase.is_empty() {
        return Err(PassphraseError::Empty.into());
    }
    if is_weak(passphrase) && !insecure {
        return Err(RootKeyError::Weak);
    }
    let params = PassphraseParams::random();
    Ok((copy(&RootMaterial::from_passphrase(passphrase, &params)?)?, params.to_line()))
}

/// As from a file system: what is not there, what cannot be read, and what is not private.
fn read_secret(path: &Path, secret: Secret, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, RootKeyError> {
    match files::read_secret(path, secret, bytes_max) {
        Ok(content) => Ok(Some(content)),
        Err(NotPrivate::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(NotPrivate::Io { source, .. }) => Err(RootKeyError::Read { path: path.display().to_string(), source }),
        Err(open) => Err(open.into()),
    }
}

/// A secret that the configuration names and that must be there.
pub(super) fn read_configured(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    let shown = path.display().to_string();
    match read_secret(path, Secret::Configured, bytes_max) {
        Ok(Some(content)) => Ok(content),
        Ok(None) => Err(RootKeyError::Needed { path: shown, source: io::ErrorKind::NotFound.into() }),
        Err(RootKeyError::Read { path, source }) => Err(RootKeyError::Needed { path, source }),
        Err(other) => Err(other),
    }
}

/// A plain rule, not an estimate: it stops short words and repetitions, and nobody else's quotation.
fn is_weak(passphrase: &[u8]) -> bool {
    let distinct = (0..=u8::MAX).filter(|byte| passphrase.contains(byte)).count();
    passphrase.len() < NEW_PASSPHRASE_BYTES_MIN || distinct < NEW_PASSPHRASE_DISTINCT_MIN
}

/// A passphrase without the line ends behind it, which an editor or a mounted secret adds. Everything else is part of it.
fn without_line_end(passphrase: &[u8]) -> &[u8] {
    let mut rest = passphrase;
    while let [before @ .., b'\n' | b'\r'] = rest {
        rest = before;
    }
    rest
}

fn passphrase(config: &Config) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    if let Some(path) = &config.root_key.passphrase_file {
        return read_configured(path, PASSPHRASE_FILE_BYTES_MAX);
    }
    if let Ok(number) = std::env::var(PASSPHRASE_PIPE_VARIABLE) {
        return from_pipe(&number);
    }
    match std::env::var(PASSPHRASE_VARIABLE) {
        Ok(text) => Ok(Zeroizing::new(text.into_bytes())),
        Err(_) => Err(RootKeyError::NoPassphrase),
    }
}

/// What the process was before has written, to its end.
fn from_pipe(number: &str) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
    let path = format!("/proc/self/fd/{number}");
    let read = |source| RootKeyError::Read { path: path.clone(), source };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(read(io::ErrorKind::InvalidInput.into()));
    }
    let mut passphrase = Zeroizing::new(Vec::with_capacity(PASSPHRASE_FILE_BYTES_MAX + 1));
    let pipe = files::open_pipe(Path::new(&path)).map_err(read)?;
    pipe.take(PASSPHRASE_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut passphrase).map_err(read)?;
    Ok(passphrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_repeated_passphrases_are_weak() {
        for weak in ["", "correct horse", "aaaaaaaaaaaaaaaaaaaaaaaa", "12121212121212121212", "fifteen letters"] {
            assert!(is_weak(weak.as_bytes()), "{weak}");
        }
        for strong in ["correct horse battery", "密码密码需要长一些", "0123456789abcdef"] {
            assert!(!is_weak(strong.as_bytes()), "{strong}");
        }
    }

    #[test]
    fn only_line_ends_behind_a_passphrase_are_dropped() {
        for (given, kept) in
            [("a b", "a b"), (" a\tb \n", " a\tb "), ("a\r\n\n", "a"), ("\na\nb", "\na\nb"), ("\n", ""), ("", "")]
        {
            assert_eq!(without_line_end(given.as_bytes()), kept.as_bytes(), "{given:?}");
        }
    }
}
