//! People of an identity provider who sign in to the console: the authorization code flow of OpenID Connect Core 1.0 (section
//! 3.1) with PKCE (RFC 7636). Nothing is kept here while somebody is at the provider: what a browser holds ([`Trip`]) says all.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::time::Timestamp;
use jomae_core::oidc::{Claims, Provider, TOKEN_BYTES_MAX};
use jomae_crypto::hash::sha256;
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::fetch::{Web, discovery_url, https_url};
use crate::{config::OidcProviderConfig, files};

/// Path of the redirect URI.
pub const CALLBACK_PATH: &str = "/sign-in/callback";
/// Largest file with a client secret, in bytes.
const SECRET_BYTES_MAX: usize = 4096;
/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 60;
/// How long what the discovery document says is used, in seconds.
const KEEP_SECS: i64 = 600;
/// How long after a failure it is not asked again, in seconds.
const PAUSE_SECS: i64 = 30;
/// Longest code that is exchanged, in bytes.
const CODE_BYTES_MAX: usize = 2048;

/// A provider whose people can sign in to the console.
pub struct Organization {
    pub provider: Provider,
    pub role_arn: String,
    pub label: String,
    client_id: String,
    client_secret: Option<Zeroizing<String>>,
    redirect_uri: String,
    web: Web,
    endpoints: Option<Endpoints>,
    asked: Mutex<Asked>,
}

/// Where people sign in, and where codes are exchanged.
#[derive(Clone)]
struct Endpoints {
    authorization: Url,
    token: Url,
}

#[derive(Default)]
struct Asked {
    found: Option<(Endpoints, Timestamp)>,
    failed: Option<Timestamp>,
}

impl Organization {
    /// Checks what is configured; none if people do not sign in through the provider. An error goes on from its name.
    pub fn from_config(config: &OidcProviderConfig, provider: &Provider) -> Result<Option<Self>, String> {
        let Some(console) = &config.console else { return Ok(None) };
        if !provider.client_ids.contains(&console.client_id) {
            return Err(format!("the client_id {:?} is none of the client_ids", console.client_id));
        }
        if !console.role_arn.starts_with(&format!("acs:ram::{}:role/", provider.account)) {
            return Err(format!("role_arn must be acs:ram::{}:role/<name>, a role of the account", provider.account));
        }
        let redirect = https_url(&console.redirect_uri).map_err(|cause| format!("redirect_uri {cause}"))?;
        if redirect.path() != CALLBACK_PATH || redirect.query().is_some() || redirect.fragment().is_some() {
            return Err(format!("redirect_uri must end with the path {CALLBACK_PATH}"));
        }
        let label = console.label.clone().unwrap_or_else(|| provider.name.clone());
        if !(1..=LABEL_CHARS_MAX).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            return Err(format!("label must have 1 to {LABEL_CHARS_MAX} characters, none of them a control character"));
        }
        let endpoint = |name: &str, text: &str| https_url(text).map_err(|cause| format!("{name} {cause}"));
        let endpoints = match (&console.authorization_endpoint, &console.token_endpoint) {
            (Some(authorization), Some(token)) => Some(Endpoints {
                authorization: endpoint("authorization_endpoint", authorization)?,
                token: endpoint("token_endpoint", token)?,
            }),
            (None, None) => {
                discovery_url(&provider.issuer).map_err(|cause| {
                    format!("issuer {cause}, since its endpoints are looked up there; or set authorization_endpoint and token_endpoint")
                })?;
                None
            }
            _ => return Err("give both authorization_endpoint and token_endpoint, or neither".into()),
        };
        Ok(Some(Self {
            provider: provider.clone(),
            role_arn: console.role_arn.clone(),
            label,
            client_id: console.client_id.clone(),
            client_secret: console.client_secret_file.as_deref().map(secret).transpose()?,
            redirect_uri: console.redirect_uri.clone(),
            web: Web::new(config.allow_private, config.ca_file.as_deref())?,
            endpoints,
            asked: Mutex::default(),
        }))
    }

    async fn endpoints(&self, now: Timestamp) -> Result<Endpoints, String> {
        if let Some(endpoints) = &self.endpoints {
            return Ok(endpoints.clone());
        }
        let mut asked = self.asked.lock().await;
        if let Some((found, at)) = &asked.found
            && now.0.saturating_sub(at.0) < KEEP_SECS
        {
            return Ok(found.clone());
        }
        if asked.failed.is_some_and(|at| now.0.saturating_sub(at.0) < PAUSE_SECS) {
            return Err("the discovery document could not be got a moment ago".into());
        }
        match discover(&self.web, &self.provider.issuer).await {
            Ok(endpoints) => {
                *asked = Asked { found: Some((endpoints.clone(), now)), failed: None };
                Ok(endpoints)
            }
            Err(cause) => {
                asked.failed = Some(now);
                Err(cause)
            }
        }
    }

    /// Where to send a browser that holds this.
    pub async fn address(&self, trip: &Trip, now: Timestamp) -> Result<String, String> {
        let mut address = self.endpoints(now).await?.authorization;
        let challenge = URL_SAFE_NO_PAD.encode(sha256(&[trip.verifier().as_bytes()]));
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", "openid")
            .append_pair("state", &trip.state())
            .append_pair("nonce", &trip.nonce())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(address.into())
    }

    /// Exchanges a code for an identity token, of which nothing is known yet. The error is for the operator.
    pub async fn exchange(&self, trip: &Trip, code: &str, now: Timestamp) -> Result<Zeroizing<String>, String> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: String,
        }
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err("the code is not one".into());
        }
        let endpoint = self.endpoints(now).await?.token;
        let (id, verifier) = (jomae_console::percent(&self.client_id), trip.verifier());
        let form = Zeroizing::new(format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&client_id={id}&code_verifier={}",
            jomae_console::percent(code),
            jomae_console::percent(&self.redirect_uri),
            *verifier
        ));
        // RFC 6749, section 2.3.1: both parts are encoded as in a form.
        let secret = self.client_secret.as_ref().map(|secret| Zeroizing::new(jomae_console::percent(secret)));
        let auth = secret.as_ref().map(|secret| (id.as_str(), secret.as_str()));
        let body = self.web.post(&endpoint, &form, auth).await?;
        let tokens: Tokens =
            serde_json::from_slice(&body).map_err(|_| format!("{endpoint} gives no text `id_token`"))?;
        let token = Zeroizing::new(tokens.id_token);
        if token.len() > TOKEN_BYTES_MAX {
            return Err(format!("the token of {endpoint} is longer than {TOKEN_BYTES_MAX} bytes"));
        }
        Ok(token)
    }

    /// Whether a verified token was issued to the console, for this browser (OpenID Connect Core 1.0, section 3.1.3.7).
    pub fn is_for(&self, claims: &Claims, trip: &Trip) -> bool {
        let party = claims.authorized_party.as_ref();
        claims.audience.contains(&self.client_id)
            && (claims.audience.len() == 1 || party.is_some())
            && party.is_none_or(|party| *party == self.client_id)
            && claims.nonce.as_deref() == Some(trip.nonce().as_str())
    }
}

/// The secret in a file, without the line end behind it.
fn secret(path: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let wrong = |cause: &dyn std::fmt::Display| format!("client_secret_file {}: {cause}", path.display());
    let content = files::read_configured(path, SECRET_BYTES_MAX).map_err(|error| wrong(&error))?;
    let text = std::str::from_utf8(&content).map_err(|_| wrong(&"is not UTF-8"))?.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(char::is_control) {
        return Err(wrong(&"must have one line"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Asks the issuer for its endpoints (OpenID Connect Discovery 1.0).
async fn discover(web: &Web, issuer: &str) -> Result<Endpoints, String> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        authorization_endpoint: String,
        token_endpoint: String,
    }
    let url = discovery_url(issuer)?;
    let body = super::fetch::in_time(web.get(&url)).await?;
    let metadata: Metadata = serde_json::from_slice(&body)
        .map_err(|_| format!("{url} has no texts `issuer`, `authorization_endpoint` and `token_endpoint`"))?;
    if metadata.issuer != issuer {
        return Err(format!("{url} is of another issuer"));
    }
    let authorization = https_url(&metadata.authorization_endpoint)
        .map_err(|cause| format!("the authorization_endpoint of {url} {cause}"))?;
    let token = https_url(&metadata.token_endpoint).map_err(|cause| format!("the token_endpoint of {url} {cause}"))?;
    // The secret goes there.
    if token.origin() != url.origin() {
        return Err(format!(
            "the token_endpoint of {url} is on another server, {token}; set authorization_endpoint and token_endpoint if that is right"
        ));
    }
    Ok(Endpoints { authorization, token })
}

/// What a browser holds while its user is at the provider. State, nonce and the verifier of PKCE follow from it, so that an
/// answer of the provider fits this browser, this provider and this page alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Trip {
    /// 256 random bits, in Base64.
    secret: Zeroizing<String>,
    /// Full name of the provider.
    pub provider: String,
    /// The page to go to.
    pub back: String,
    pub began: Timestamp,
}

/// Longest cookie that is read, in characters.
const TRIP_CHARS_MAX: usize = 2400;
/// How long somebody can be at the provider, in seconds.
pub const TRIP_SECS: i64 = 600;
/// Length of the secret, in characters.
const SECRET_CHARS: usize = 43;

fn derived(purpose: &str, of: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(&[b"jomae console ", purpose.as_bytes(), &[0], of.as_bytes()]))
}

impl Trip {
    pub fn new(secret: Zeroizing<String>, provider: String, back: String, began: Timestamp) -> Self {
        Self { secret, provider, back, began }
    }

    /// As it stands in a cookie.
    pub fn to_cookie(&self) -> Zeroizing<String> {
        let [provider, back] = [&self.provider, &self.back].map(|text| URL_SAFE_NO_PAD.encode(text));
        Zeroizing::new(format!("{}.{}.{provider}.{back}", *self.secret, self.began.0))
    }

    /// Reads a cookie. None for whatever is none of ours, and for one that is too old.
    pub fn of_cookie(cookie: &str, now: Timestamp) -> Option<Self> {
        if cookie.len() > TRIP_CHARS_MAX {
            return None;
        }
        let mut parts = cookie.split('.');
        let (secret, began, provider, back) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let text = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let began = Timestamp(began.parse().ok()?);
        let is_fresh = (0..TRIP_SECS).contains(&now.0.checked_sub(began.0)?);
        if parts.next().is_some() || secret.len() != SECRET_CHARS || !is_fresh {
            return None;
        }
        Some(Self { secret: Zeroizing::new(secret.to_owned()), provider: text(provider)?, back: text(back)?, began })
    }

    pub(super) fn state(&self) -> String {
        derived("state", &self.to_cookie())
    }

    pub(super) fn nonce(&self) -> String {
        derived("nonce", &self.secret)
    }

    pub(super) fn verifier(&self) -> Zeroizing<String> {
        Zeroizing::new(derived("verifier", &self.secret))
    }

    /// Whether the provider answers what this browser has asked. Hashes are compared, so that the time tells nothing.
    pub fn is_answered_by(&self, state: &str) -> bool {
        sha256(&[state.as_bytes()]) == sha256(&[self.state().as_bytes()])
    }
}
