//! Where the root key comes from: a key file, or a passphrase.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use jomae_core::{
    error::Fault,
    keyring::{RootKey, WrongRootKey},
};
use jomae_crypto::{
    root::{
        KEY_FILE_BYTES_MAX, KeyFileError, PARAMS_LINE_BYTES_MAX, PassphraseError, PassphraseParams,
        PassphraseParamsError, RootMaterial,
    },
    secret::Key256,
    wrap,
};
use zeroize::Zeroizing;

use crate::{
    config::{Config, RootKeyProvider},
    files::{self, NotPrivate, Secret},
    guard,
};

pub use jomae_crypto::root::PASSPHRASE_BYTES_MAX;

/// The environment variable that may hold the passphrase.
pub const PASSPHRASE_VARIABLE: &str = "JOMAE_ROOT_PASSPHRASE";

/// The environment variable with the number of the pipe that holds it instead: `jomae serve` starts itself anew with it, so
/// that the passphrase stands in no environment, which the system shows for as long as the process lives.
pub const PASSPHRASE_PIPE_VARIABLE: &str = "JOMAE_ROOT_PASSPHRASE_PIPE";

/// Shortest passphrase of a new root key, in bytes.
const NEW_PASSPHRASE_BYTES_MIN: usize = 16;
/// How many different bytes it has at least.
const NEW_PASSPHRASE_DISTINCT_MIN: usize = 8;

/// Longest passphrase file, in bytes: a passphrase and its line end.
const PASSPHRASE_FILE_BYTES_MAX: usize = PASSPHRASE_BYTES_MAX + 2;

/// A root key in this process's memory.
pub struct LocalRootKey(RootMaterial);

impl From<RootMaterial> for LocalRootKey {
    fn from(key: RootMaterial) -> Self {
        Self(key)
    }
}

impl RootKey for LocalRootKey {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(self.0.key(), name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(self.0.key(), name, wrapped).map_err(|_| WrongRootKey)
    }
}

/// Why there is no root key; one line that says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    #[error(
        "the root key file {path} is missing, but a store made with it is here; put the file back (a new key could not open this store)"
    )]
    Missing { path: String },
    #[error("the root key file {path} cannot be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("the root key file {path} cannot be made: {source}")]
    Write { path: String, source: io::Error },
    #[error("the root key file {path}: {source}")]
    Damaged { path: String, source: KeyFileError },
    #[error("the root key: {0}")]
    NotPrivate(#[from] NotPrivate),
    #[error("the passphrase parameters in {path}: {source}")]
    Params { path: String, source: PassphraseParamsError },
    #[error(
        "the root key is a passphrase: set {PASSPHRASE_VARIABLE}, or root_key.passphrase_file in the configuration"
    )]
    NoPassphrase,
    #[error("the passphrase: {0}")]
    Passphrase(#[from] PassphraseError),
    #[error(
        "the passphrase is too weak for a new root key: it needs at least {NEW_PASSPHRASE_BYTES_MIN} bytes, {NEW_PASSPHRASE_DISTINCT_MIN} of them different; serve --insecure takes it all the same"
    )]
    Weak,
}

/// Whether the root key was made just now.
pub struct Opened {
    pub key: LocalRootKey,
    pub created: bool,
}

/// Takes the configured root key. A new one is made only where there is no store yet: a store that lost its key must
/// not be given another.
pub fn open(config: &Config, store_exists: bool) -> Result<Opened, RootKeyError> {
    match config.root_key.provider {
        RootKeyProvider::File => from_file(config, store_exists),
        RootKeyProvider::Passphrase => from_passphrase(config, store_exists),
    }
}

/// Where the parameters of a passphrase stand.
pub(crate) fn params_path(data_dir: &Path) -> PathBuf {
    data_dir.join("root.params")
}

/// The root key that a key file holds.
pub(crate) fn of_key_file(content: &[u8]) -> Result<LocalRootKey, KeyFileError> {
    RootMaterial::from_key_file(content).map(LocalRootKey)
}

/// The root key of the configured passphrase with these parameters.
pub(crate) fn of_passphrase(config: &Config, params: &str) -> Result<LocalRootKey, RootKeyError> {
    let params = PassphraseParams::from_line(params.trim_end())
        .map_err(|source| RootKeyError::Params { path: "of the cluster".to_owned(), source })?;
    let passphrase = passphrase(config)?;
    Ok(RootMaterial::from_passphrase(without_line_end(&passphrase), &params)?.into())
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

fn from_file(config: &Config, store_exists: bool) -> Result<Opened, RootKeyError> {
    let (path, secret) = guard::root_key(config);
    let name = || path.display().to_string();
    match read_secret(&path, secret, KEY_FILE_BYTES_MAX)? {
        Some(content) => {
            let key = RootMaterial::from_key_file(&content)
                .map_err(|source| RootKeyError::Damaged { path: name(), source })?;
            Ok(Opened { key: key.into(), created: false })
        }
        None if store_exists => Err(RootKeyError::Missing { path: name() }),
        None => {
            let key = RootMaterial::random();
            files::write_private(&path, key.to_key_file().expose())
                .map_err(|source| RootKeyError::Write { path: name(), source })?;
            Ok(Opened { key: key.into(), created: true })
        }
    }
}

fn from_passphrase(config: &Config, store_exists: bool) -> Result<Opened, RootKeyError> {
    let path = params_path(&config.data_dir);
    let name = || path.display().to_string();
    let passphrase = passphrase(config)?;
    let passphrase = without_line_end(&passphrase);
    let (params, created) = match files::read_limited(&path, PARAMS_LINE_BYTES_MAX) {
        Ok(content) => {
            let line = String::from_utf8_lossy(&content);
            let params = PassphraseParams::from_line(line.trim_end())
                .map_err(|source| RootKeyError::Params { path: name(), source })?;
            if is_weak(passphrase) {
                tracing::warn!(
                    "the passphrase of the root key is weak; whoever has a copy of the store can guess it offline"
                );
            }
            (params, false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && store_exists => {
            return Err(RootKeyError::Missing { path: name() });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if passphrase.is_empty() {
                return Err(PassphraseError::Empty.into());
            }
            if is_weak(passphrase) && !config.root_key.insecure {
                return Err(RootKeyError::Weak);
            }
            let params = PassphraseParams::random();
            files::write_private(&path, format!("{}\n", params.to_line()).as_bytes())
                .map_err(|source| RootKeyError::Write { path: name(), source })?;
            (params, true)
        }
        Err(source) => return Err(RootKeyError::Read { path: name(), source }),
    };
    Ok(Opened { key: RootMaterial::from_passphrase(passphrase, &params)?.into(), created })
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
        return read_secret(path, Secret::Configured, PASSPHRASE_FILE_BYTES_MAX)?.ok_or_else(|| RootKeyError::Read {
            path: path.display().to_string(),
            source: io::ErrorKind::NotFound.into(),
        });
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
    fn strength_is_asked_when_the_passphrase_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        files::write_private(&file, b"horse\n").unwrap();
        let mut config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
        config.root_key.provider = RootKeyProvider::Passphrase;
        config.root_key.passphrase_file = Some(file);
        assert!(matches!(open(&config, false), Err(RootKeyError::Weak)));
        assert!(!dir.path().join("root.params").exists());
        config.root_key.insecure = true;
        assert!(open(&config, false).unwrap().created);
        config.root_key.insecure = false;
        assert!(!open(&config, true).unwrap().created);
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
