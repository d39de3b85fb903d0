//! The root of trust: `[root_key]`.

use std::{fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer as _, SeqAccess, Visitor},
};

/// The root of trust.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RootKeyConfig {
    /// What may open the store, in the order in which it is tried; a new store is made with the first.
    #[serde(rename = "provider", deserialize_with = "one_or_more")]
    pub providers: Vec<RootKeyProvider>,
    /// The key file; default `root.key` in the data directory. Better: on another disk.
    pub file: Option<PathBuf>,
    /// A file with the passphrase; without it the environment variable `JOMAE_ROOT_PASSPHRASE`.
    pub passphrase_file: Option<PathBuf>,
    /// Files with shares of which enough open the store, one each.
    pub share_files: Vec<PathBuf>,
    /// Files with private keys of age or of SSH, which open shares that are encrypted. Not a setting: they are the people's, and are
    /// not to lie on the machine.
    #[serde(skip)]
    pub identities: Vec<PathBuf>,
    /// Another KMS, which decrypts the provider's key.
    pub kms: Option<RootKeyKms>,
    /// Whether a new root key may come from a weak passphrase. Not a setting: asked for on the command line, once.
    #[serde(skip)]
    pub insecure: bool,
}

impl Default for RootKeyConfig {
    fn default() -> Self {
        Self {
            providers: vec![RootKeyProvider::File],
            file: None,
            passphrase_file: None,
            share_files: Vec::new(),
            identities: Vec::new(),
            kms: None,
            insecure: false,
        }
    }
}

impl RootKeyConfig {
    pub fn has(&self, provider: RootKeyProvider) -> bool {
        self.providers.contains(&provider)
    }
}

/// Another key management service with the API of Alibaba Cloud KMS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootKeyKms {
    /// `https://host:port`.
    pub endpoint: String,
    pub region: String,
    /// The key that encrypts the provider's key: ID or alias.
    pub key_id: String,
    /// The authority of its certificate, in PEM; without it those of the system.
    pub ca_file: Option<PathBuf>,
    /// A file with `export ALIBABA_CLOUD_ACCESS_KEY_ID=…` and the other variables of a credential, as `env` of a data
    /// directory has them.
    pub credentials_file: PathBuf,
}

/// What has, or finds, the key of a slot of the root key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKeyProvider {
    /// A file of 32 random bytes.
    #[default]
    File,
    /// A passphrase, through Argon2id.
    Passphrase,
    /// Shares, so many of which open.
    Shares,
    /// Another KMS.
    Kms,
    /// A key in the token of `[hsm]`.
    Pkcs11,
}

impl RootKeyProvider {
    /// As the configuration and the store name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Passphrase => "passphrase",
            Self::Shares => "shares",
            Self::Kms => "kms",
            Self::Pkcs11 => "pkcs11",
        }
    }
}

/// One name, or a list of them.
struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Vec<RootKeyProvider>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a provider, or a list of such names")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        RootKeyProvider::deserialize(name.into_deserializer()).map(|provider| vec![provider])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
        let mut providers = Vec::new();
        while let Some(provider) = names.next_element()? {
            providers.push(provider);
        }
        if providers.is_empty() { Err(de::Error::custom("no provider is named")) } else { Ok(providers) }
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<RootKeyProvider>, D::Error> {
    from.deserialize_any(OneOrMore)
}
