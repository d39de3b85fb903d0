//! Where the root key comes from: the slots of the store, and the providers that the configuration names for them.

mod kms;
mod local;
pub mod people;
mod shares;
pub mod ssh;
mod token;

use std::{io, sync::Arc};

use jomae_core::{
    error::Fault,
    keyring::{DOMAIN_PREFIX, RootKey as _, WrongRootKey},
    root::{self, ChangeError, NewSlot, Opener, Slot, Slots},
    store::Store,
    tx::Vault,
};
use jomae_crypto::{
    root::{KeyFileError, PassphraseError, PassphraseParamsError, RootMaterial},
    secret::Key256,
    shares::CombineError,
};
use jomae_hsm::Hsm;
use zeroize::Zeroizing;

use self::people::ShareFileError;
use crate::{
    config::{Config, RootKeyProvider},
    files::NotPrivate,
    gateway,
};

pub use jomae_crypto::root::PASSPHRASE_BYTES_MAX;
pub(crate) use local::params_path;
pub(crate) use token::detail as token_detail;

/// The label of the key in a token that wraps a provider's key, unless another is named.
pub const TOKEN_KEY_LABEL: &str = "jomae-root";

/// The environment variable that may hold the passphrase.
pub const PASSPHRASE_VARIABLE: &str = "JOMAE_ROOT_PASSPHRASE";

/// The environment variable with the number of the pipe that holds it instead: `jomae serve` starts itself anew with it, so
/// that the passphrase stands in no environment, which the system shows for as long as the process lives.
pub const PASSPHRASE_PIPE_VARIABLE: &str = "JOMAE_ROOT_PASSPHRASE_PIPE";

/// Why there is no root key; one line that says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    #[error(
        "the root key file {path} is missing, but a store made with it is here; put the file back (a new key could not open this store)"
    )]
    Missing { path: String },
    #[error("the root key file {path} cannot be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("{path}, which the root key needs, cannot be read: {source}")]
    Needed { path: String, source: io::Error },
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
        "the passphrase is too weak for a new root key: it needs at least {} bytes, {} of them different; serve --insecure takes it all the same",
        local::NEW_PASSPHRASE_BYTES_MIN,
        local::NEW_PASSPHRASE_DISTINCT_MIN
    )]
    Weak,
    #[error(transparent)]
    ShareFile(#[from] ShareFileError),
    #[error("the shares of the root key: {0}")]
    Shares(#[from] CombineError),
    #[error("the share in {path} is not of the set {set}")]
    OtherSet {
        path: String,
        /// The set that was needed.
        set: String,
        /// Which of those given, from 0.
        at: usize,
    },
    #[error("the share in {path} is not share {number} as it was handed out: it is forged or damaged")]
    ForgedShare { path: String, number: u8 },
    #[error("no share is named: root_key.share_files in the configuration, or --share")]
    NoShares,
    #[error("shares open a store, and do not begin one: start with another provider, then run jomae root add shares")]
    SharesFirst,
    #[error("the other KMS, for the root key: {0}")]
    Kms(String),
    #[error("the token, for the root key: {0}")]
    Token(String),
    /// It has refused the PIN, which another start would try once more.
    #[error("the token, for the root key: {0}")]
    TokenRefuses(String),
    #[error(
        "no provider of the root key is tried that this store has; it has {there}, and root_key.provider names {tried}"
    )]
    NoSlot { there: String, tried: String },
    #[error("no provider of the root key opens this store: {}", .told.join("; "))]
    NoneOpens {
        told: Vec<String>,
        /// Whether one of them was [`RootKeyError::TokenRefuses`].
        needs_operator: bool,
    },
    #[error(transparent)]
    Wrong(#[from] WrongRootKey),
    #[error(transparent)]
    Slots(#[from] ChangeError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl RootKeyError {
    /// Whether it would be wrong to try again before somebody has mended it.
    pub const fn needs_operator(&self) -> bool {
        matches!(self, Self::TokenRefuses(_) | Self::NoneOpens { needs_operator: true, .. })
    }
}

/// A root key, and how it was found.
pub struct Opened {
    pub root: RootMaterial,
    pub holder: Holder,
    /// Whether something was made just now that the operator must keep.
    pub created: bool,
}

/// How this process gets the root key again after somebody has changed it.
pub enum Holder {
    /// By a slot.
    Slot(Opener),
    /// The store had no slots: the key of its one provider was the root key.
    Direct(Direct),
}

/// The one provider of a store without slots.
pub struct Direct {
    provider: RootKeyProvider,
    params: String,
    key: Key256,
}

impl Direct {
    /// The slot that it gets when there are slots.
    pub fn slot(&self) -> NewSlot<'_> {
        let name = self.provider.name();
        NewSlot { name, provider: name, params: &self.params, key: &self.key }
    }

    /// What opens the slot that it has got.
    pub fn opener(&self, slots: &Slots) -> Option<Opener> {
        slots.slots().iter().find_map(|slot| slot.open(&self.key))
    }
}

impl Holder {
    /// The root key of today.
    ///
    /// # Errors
    /// The slot is gone.
    pub fn root(&self, store: &dyn Store) -> Result<RootMaterial, RootKeyError> {
        match (self, Slots::read(store)?) {
            (Self::Direct(direct), None) => Ok(copy(&direct.key)?),
            (Self::Direct(direct), Some(slots)) => Ok(direct.opener(&slots).ok_or(WrongRootKey)?.root(&slots)?),
            (Self::Slot(opener), Some(slots)) => Ok(opener.root(&slots)?),
            (Self::Slot(_), None) => Err(WrongRootKey.into()),
        }
    }

    /// The provider of a store that has no slots still.
    pub fn direct(&self, store: &dyn Store) -> Result<Option<NewSlot<'_>>, Fault> {
        match self {
            Self::Direct(direct) if Slots::read(store)?.is_none() => Ok(Some(direct.slot())),
            _ => Ok(None),
        }
    }

    /// The slot by which this process came in.
    pub fn name(&self) -> &str {
        match self {
            Self::Slot(opener) => opener.name(),
            Self::Direct(direct) => direct.provider.name(),
        }
    }
}

fn copy(key: &Key256) -> Result<RootMaterial, WrongRootKey> {
    Key256::from_slice(key.expose()).map(RootMaterial::from).ok_or(WrongRootKey)
}

/// Where the keys of providers come from: the configuration, and what it need not name.
pub(crate) struct Sources<'s> {
    config: &'s Config,
    /// The content of the key file, before it is written.
    key_file: Option<&'s [u8]>,
    /// The parameters of a passphrase, before they are written.
    params: Option<&'s str>,
    /// The token, if it was begun already.
    token: Option<&'s Arc<Hsm>>,
}

impl<'s> Sources<'s> {
    pub(crate) fn of(config: &'s Config) -> Self {
        Self { config, key_file: None, params: None, token: None }
    }

    /// Of a newcomer, which has got them from another node.
    pub(crate) fn of_newcomer(config: &'s Config, key_file: Option<&'s [u8]>, params: Option<&'s str>) -> Self {
        Self { config, key_file, params, token: None }
    }

    /// The key of a provider whose slot has these parameters.
    async fn key(&self, provider: RootKeyProvider, params: &str) -> Result<Key256, RootKeyError> {
        match provider {
            RootKeyProvider::File => match self.key_file {
                Some(content) => local::of_key_file(content, &self.config.root_key_file()),
                None => local::from_file(self.config),
            },
            RootKeyProvider::Passphrase => local::from_passphrase(self.config, params, "of the store"),
            RootKeyProvider::Shares => {
                shares::key(&self.config.root_key.share_files, &self.config.root_key.identities, params)
            }
            RootKeyProvider::Kms => kms::key(self.config, params).await,
            RootKeyProvider::Pkcs11 => token::key(self.config, self.token, params).await,
        }
    }

    /// Takes the root key of a store that is there.
    pub(crate) async fn open(&self, store: &dyn Store) -> Result<Opened, RootKeyError> {
        match Slots::read(store)? {
            Some(slots) => self.by_slots(&slots).await,
            None => self.direct(store),
        }
    }

    pub(crate) async fn by_slots(&self, slots: &Slots) -> Result<Opened, RootKeyError> {
        let tried = &self.config.root_key.providers;
        let mut failed = Vec::new();
        for provider in tried {
            for slot in slots.slots().iter().filter(|slot| slot.provider == provider.name()) {
                let opened = self.key(*provider, &slot.params).await.and_then(|key| {
                    let opener = slot.open(&key).ok_or(WrongRootKey)?;
                    Ok(Opened { root: opener.root(slots)?, holder: Holder::Slot(opener), created: false })
                });
                match opened {
                    Ok(opened) => return Ok(opened),
                    Err(error) => failed.push((slot, error)),
                }
            }
        }
        // Shares of another slot are no news where some of this one are given.
        let is_elsewhere = |error: &RootKeyError| matches!(error, RootKeyError::OtherSet { at: 0, .. });
        if !failed.iter().all(|(_, error)| is_elsewhere(error)) {
            failed.retain(|(_, error)| !is_elsewhere(error));
        }
        // What is wrong with a file is wrong for every slot that needs it.
        let mut told: Vec<(Vec<String>, RootKeyError)> = Vec::new();
        for (slot, error) in failed {
            let text = error.to_string();
            match told.iter_mut().find(|(_, known)| known.to_string() == text) {
                Some((names, _)) => names.push(named(slot)),
                None => told.push((vec![named(slot)], error)),
            }
        }
        match (told.pop(), told.as_slice()) {
            (None, _) => Err(RootKeyError::NoSlot {
                there: slots.slots().iter().map(named).collect::<Vec<_>>().join(", "),
                tried: tried.iter().map(|provider| provider.name()).collect::<Vec<_>>().join(", "),
            }),
            // One alone speaks for itself.
            (Some((_, error)), []) => Err(error),
            (Some(last), _) => {
                told.push(last);
                let needs_operator = told.iter().any(|(_, error)| error.needs_operator());
                let told = told.into_iter().map(|(names, error)| format!("{}: {error}", names.join(", ")));
                Err(RootKeyError::NoneOpens { told: told.collect(), needs_operator })
            }
        }
    }

    /// As the manifest of a backup tells it, of a store without slots.
    pub(crate) fn by_direct(&self, provider: &str, params: &str) -> Result<Opened, RootKeyError> {
        let known = [RootKeyProvider::File, RootKeyProvider::Passphrase];
        let tried = &self.config.root_key.providers;
        let found = known.into_iter().find(|known| known.name() == provider && tried.contains(known));
        let key = match found {
            Some(RootKeyProvider::File) => local::from_file(self.config)?,
            Some(_) => local::from_passphrase(self.config, params, "of the backup")?,
            None => {
                return Err(RootKeyError::NoSlot {
                    there: provider.to_owned(),
                    tried: tried.iter().map(|provider| provider.name()).collect::<Vec<_>>().join(", "),
                });
            }
        };
        let direct = Direct { provider: found.unwrap_or_default(), params: params.to_owned(), key };
        Ok(Opened { root: copy(&direct.key)?, holder: Holder::Direct(direct), created: false })
    }

    /// Of a store that was made before there were slots: the key of one provider is the root key.
    fn direct(&self, store: &dyn Store) -> Result<Opened, RootKeyError> {
        let wrapped = store.scan(DOMAIN_PREFIX, None, 1).map_err(Fault::from)?;
        let mut failed = None;
        for provider in &self.config.root_key.providers {
            let found = match provider {
                RootKeyProvider::File => match self.key_file {
                    Some(content) => local::of_key_file(content, &self.config.root_key_file()),
                    None => local::from_file(self.config),
                }
                .map(|key| (key, String::new())),
                RootKeyProvider::Passphrase => self
                    .params
                    .map_or_else(
                        || local::params_of_dir(&self.config.data_dir),
                        |params| Ok(params.trim_end().to_owned()),
                    )
                    .and_then(|params| {
                        let place = params_path(&self.config.data_dir).display().to_string();
                        Ok((local::from_passphrase(self.config, &params, &place)?, params))
                    }),
                RootKeyProvider::Shares | RootKeyProvider::Kms | RootKeyProvider::Pkcs11 => continue,
            };
            let opened = found.and_then(|(key, params)| {
                let root = copy(&key)?;
                for (path, entry) in &wrapped {
                    root.unwrap(path.as_str(), &entry.value)?;
                }
                let holder = Holder::Direct(Direct { provider: *provider, params, key });
                Ok(Opened { root, holder, created: false })
            });
            match opened {
                Ok(opened) => return Ok(opened),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| RootKeyError::NoSlot {
            there: "file or passphrase".to_owned(),
            tried: self.config.root_key.providers.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "),
        }))
    }
}

/// As it is told from the others: by its name, and its provider if that is another word.
pub(crate) fn named(slot: &Slot) -> String {
    if slot.name == slot.provider { slot.name.clone() } else { format!("{} ({})", slot.name, slot.provider) }
}

/// The serial number of the token that is needed to open a store, if its slots name one: it is known before anybody logs in.
pub(crate) fn token_serial(config: &Config, store: &dyn Store) -> Result<Option<String>, Fault> {
    if !config.root_key.providers.contains(&RootKeyProvider::Pkcs11) {
        return Ok(None);
    }
    let slots = Slots::read(store)?;
    let slots = slots.iter().flat_map(Slots::slots).filter(|slot| slot.provider == RootKeyProvider::Pkcs11.name());
    Ok(token::serial_of(slots.map(|slot| slot.params.as_str())).map(str::to_owned))
}

/// Takes the root key of a store that is there.
pub async fn open(config: &Config, store: &dyn Store) -> Result<Opened, RootKeyError> {
    Sources::of(config).open(store).await
}

/// Ends what a change of the root key has left that was cut off.
///
/// # Errors
/// The store cannot be written, or what is left does not open.
pub(crate) async fn settle(vault: &Vault, holder: &Holder) -> Result<(), RootKeyError> {
    match root::settle(vault, &holder.root(vault.store())?).await {
        Ok(true) => tracing::info!("ended a change of the root key that was cut off"),
        Ok(false) => {}
        // Who does it now, or changes the root key, ends it.
        Err(ChangeError::Conflict) => tracing::info!("another node is changing the root key"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Tells the operator if all that opens the store is a device or a service elsewhere, of which there is no copy.
pub(crate) fn warn_of_the_only_way(store: &dyn Store) -> Result<(), Fault> {
    let cannot_be_copied = [RootKeyProvider::Pkcs11.name(), RootKeyProvider::Kms.name()];
    let slots = Slots::read(store)?;
    if slots.is_some_and(|slots| slots.slots().iter().all(|slot| cannot_be_copied.contains(&slot.provider.as_str()))) {
        tracing::warn!(
            "nothing opens this store but a token or another KMS, and neither can be copied: add shares or a key file, with \
             jomae root add"
        );
    }
    Ok(())
}

/// As [`open`]; an empty store is given a root key, with a slot of the first provider. A store that lost its key must not
/// be given another.
pub async fn open_or_begin(
    config: &Config,
    store: &dyn Store,
    begun: Option<&Arc<Hsm>>,
) -> Result<Opened, RootKeyError> {
    if !store.scan("", None, 1).map_err(Fault::from)?.is_empty() {
        return Sources { token: begun, ..Sources::of(config) }.open(store).await;
    }
    let provider = config.root_key.providers.first().copied().unwrap_or_default();
    let (key, params, created) = match provider {
        RootKeyProvider::File => {
            let (key, created) = local::from_new_file(config)?;
            (key, String::new(), created)
        }
        RootKeyProvider::Passphrase => {
            let (key, params) = local::from_new_passphrase(config)?;
            (key, params, true)
        }
        RootKeyProvider::Shares => return Err(RootKeyError::SharesFirst),
        RootKeyProvider::Kms => {
            let (key, params) = kms::new_key(config).await?;
            (key, params, true)
        }
        RootKeyProvider::Pkcs11 => {
            let (key, params) = token::new_key(config, begun, TOKEN_KEY_LABEL).await?;
            (key, params, true)
        }
    };
    let slot = NewSlot { name: provider.name(), provider: provider.name(), params: &params, key: &key };
    let (root, opener) = root::begin(store, &slot, gateway::now()).await?;
    Ok(Opened { root, holder: Holder::Slot(opener), created })
}

/// The key of a passphrase for a new slot, with its parameters.
pub fn of_new_passphrase(passphrase: &Zeroizing<Vec<u8>>, insecure: bool) -> Result<(Key256, String), RootKeyError> {
    local::of_new_passphrase(passphrase, insecure)
}

/// The key of the configured KMS for a new slot, with its parameters.
pub async fn of_new_kms(config: &Config) -> Result<(Key256, String), RootKeyError> {
    kms::new_key(config).await
}

/// The key of the configured token for a new slot, with its parameters. `label`: of the key in the token that wraps it,
/// which is made if it is not there.
pub async fn of_new_token(config: &Config, label: &str) -> Result<(Key256, String), RootKeyError> {
    token::new_key(config, None, label).await
}

#[cfg(test)]
mod tests;
