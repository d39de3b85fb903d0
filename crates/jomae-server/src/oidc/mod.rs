//! Tokens of OpenID Connect providers: their keys, from a file or from the issuer, and what a token must hold.

mod address;
mod fetch;
mod keys;
mod organization;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::{collections::HashMap, sync::Arc};

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::{
    oidc::{Claims, OidcError, Provider, TokenVerifier},
    store::BoxFuture,
};

use self::{
    fetch::{Origin, Web},
    source::KeySource,
};
use crate::config::{ConfigError, OidcProviderConfig};

pub use self::keys::{KEY_SET_BYTES_MAX, KeySet, KeySetError};
pub use self::organization::Trip;
pub(crate) use self::organization::{CALLBACK_PATH, Organization, TRIP_SECS};

/// Longest issuer, in bytes.
const ISSUER_BYTES_MAX: usize = 512;
/// Most client ids of one provider, and the longest one in bytes.
const CLIENT_IDS_MAX: usize = 50;
const CLIENT_ID_BYTES_MAX: usize = 128;

/// The configured providers and their keys.
pub struct Verifier {
    entries: HashMap<String, (Provider, Arc<KeySource>)>,
}

impl Verifier {
    /// Checks the configuration and reads the files that it names. Nothing is fetched before a token needs it.
    pub fn from_config(providers: &[OidcProviderConfig]) -> Result<Self, ConfigError> {
        let mut entries = HashMap::with_capacity(providers.len());
        for config in providers {
            let wrong = |what: String| ConfigError::Value(format!("oidc_provider {:?}: {what}", config.name));
            let provider = provider(config).map_err(wrong)?;
            let origin = origin(config).map_err(wrong)?;
            let arn = provider.arn();
            let source = Arc::new(KeySource::new(arn.clone(), origin));
            // What is wrong there is told even where no console is served.
            Organization::from_config(config, &provider).map_err(|cause| wrong(format!("console: {cause}")))?;
            if entries.insert(arn.clone(), (provider, source)).is_some() {
                return Err(wrong(format!("{arn} is there twice")));
            }
        }
        Ok(Self { entries })
    }

    /// Whoever can sign in to the console through one of the providers.
    pub(crate) fn organizations(providers: &[OidcProviderConfig]) -> Result<Vec<Organization>, ConfigError> {
        let mut organizations = Vec::new();
        for config in providers {
            let organization = provider(config).and_then(|provider| Organization::from_config(config, &provider));
            let wrong = |what: String| ConfigError::Value(format!("oidc_provider {:?}: console: {what}", config.name));
            organizations.extend(organization.map_err(wrong)?);
        }
        Ok(organizations)
    }

    async fn check(&self, provider: &Provider, token: &str, now: Timestamp) -> Result<Claims, OidcError> {
        let (_, source) = self.entries.get(&provider.arn()).ok_or(OidcError::ProviderNotFound)?;
        let header = token::header(token)?;
        let wanted = |keys: &KeySet| !keys.candidates(header.algorithm, header.key_id.as_deref()).is_empty();
        let keys = source.keys(now, &wanted).await?;
        token::claims(token, &header, &keys, provider, now)
    }
}

impl TokenVerifier for Verifier {
    fn provider(&self, arn: &str) -> Option<&Provider> {
        self.entries.get(arn).map(|(provider, _)| provider)
    }

    fn verify<'a>(
        &'a self,
        provider: &'a Provider,
        token: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Claims, OidcError>> {
        Box::pin(self.check(provider, token, now))
    }
}

/// Checks a token against keys that are there: for tools and fuzzing.
pub fn verify_with(keys: &KeySet, provider: &Provider, token: &str, now: Timestamp) -> Result<Claims, OidcError> {
    token::claims(token, &token::header(token)?, keys, provider, now)
}

fn provider(config: &OidcProviderConfig) -> Result<Provider, String> {
    let account = AccountId::new(&config.account)
        .ok_or_else(|| format!("account {:?} is not a 16-digit account id", config.account))?;
    if !Provider::is_name(&config.name) {
        return Err("name must be 1 to 128 letters, digits, `.`, `-` and `_`".into());
    }
    let printable = |text: &str, bytes_max: usize| {
        (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !printable(&config.issuer, ISSUER_BYTES_MAX) {
        return Err(format!("issuer must be 1 to {ISSUER_BYTES_MAX} printable ASCII characters without blanks"));
    }
    if config.client_ids.is_empty() || config.client_ids.len() > CLIENT_IDS_MAX {
        return Err(format!("client_ids must have 1 to {CLIENT_IDS_MAX} entries"));
    }
    if let Some(bad) = config.client_ids.iter().find(|id| !printable(id, CLIENT_ID_BYTES_MAX)) {
        return Err(format!("the client id {bad:?} is not 1 to {CLIENT_ID_BYTES_MAX} printable ASCII characters"));
    }
    Ok(Provider {
        account,
        name: config.name.clone(),
        issuer: config.issuer.clone(),
        client_ids: config.client_ids.clone(),
    })
}

fn origin(config: &OidcProviderConfig) -> Result<Origin, String> {
    let web = || Web::new(config.allow_private, config.ca_file.as_deref());
    match (&config.jwks_file, &config.jwks_uri) {
        (Some(_), Some(_)) => Err("give jwks_file or jwks_uri, not both".into()),
        (Some(_), None) if config.console.is_none() && (config.allow_private || config.ca_file.is_some()) => {
            Err("allow_private and ca_file have no meaning with jwks_file: nothing is fetched".into())
        }
        (Some(path), None) => {
            fetch::read_file(path).map_err(|cause| format!("jwks_file {cause}"))?;
            Ok(Origin::File(path.clone()))
        }
        (None, Some(uri)) => {
            let url = fetch::https_url(uri).map_err(|cause| format!("jwks_uri {cause}"))?;
            Ok(Origin::KeySet(web()?, url))
        }
        (None, None) => {
            fetch::discovery_url(&config.issuer).map_err(|cause| {
                format!("issuer {cause}, since its keys are looked up there; or set jwks_file or jwks_uri")
            })?;
            Ok(Origin::Issuer(web()?, config.issuer.clone()))
        }
    }
}
