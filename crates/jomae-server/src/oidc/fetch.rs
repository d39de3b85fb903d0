//! Getting key sets: from a file, or over HTTPS from the issuer.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, redirect::Policy};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    address::{PublicOnly, is_public, literal},
    keys::{KEY_SET_BYTES_MAX, KeySet},
};
use crate::files;

/// Time for a key set to arrive, discovery and name look-up counted in.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest file with certificates, in bytes.
const CA_FILE_BYTES_MAX: usize = 1024 * 1024;

/// Where a provider's keys are.
pub enum Origin {
    File(PathBuf),
    /// The key set itself.
    KeySet(Web, Url),
    /// The issuer, whose discovery document names the key set.
    Issuer(Web, String),
}

impl Origin {
    /// Gets the keys. The error is for the operator.
    pub async fn fetch(&self) -> Result<KeySet, String> {
        let body = match self {
            Self::File(path) => return read_file(path),
            Self::KeySet(web, url) => in_time(web.get(url)).await?,
            Self::Issuer(web, issuer) => in_time(discover(web, issuer)).await?,
        };
        KeySet::parse(&body).map_err(|error| error.to_string())
    }
}

/// Reads a key set from a file.
pub fn read_file(path: &Path) -> Result<KeySet, String> {
    let wrong = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let content = files::read_configured(path, KEY_SET_BYTES_MAX).map_err(|error| wrong(&error))?;
    KeySet::parse(&content).map_err(|error| wrong(&error))
}

/// A fetch, within its time.
pub async fn in_time<T>(fetch: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let fetched = tokio::time::timeout(FETCH_TIMEOUT, fetch).await;
    fetched.map_err(|_| format!("no answer within {} s", FETCH_TIMEOUT.as_secs()))?
}

/// Asks the issuer where its keys are (OpenID Connect Discovery 1.0), and gets them from there.
async fn discover(web: &Web, issuer: &str) -> Result<Vec<u8>, String> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let url = discovery_url(issuer)?;
    let body = web.get(&url).await?;
    let metadata: Metadata =
        serde_json::from_slice(&body).map_err(|_| format!("{url} has no texts `issuer` and `jwks_uri`"))?;
    if metadata.issuer != issuer {
        return Err(format!("{url} is of another issuer"));
    }
    let keys = https_url(&metadata.jwks_uri).map_err(|cause| format!("the jwks_uri of {url} {cause}"))?;
    if keys.origin() != url.origin() {
        return Err(format!("the jwks_uri of {url} is on another server, {keys}; set jwks_uri if that is right"));
    }
    web.get(&keys).await
}

/// Where the discovery document of an issuer is.
pub fn discovery_url(issuer: &str) -> Result<Url, String> {
    let url = https_url(issuer)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or a fragment".into());
    }
    https_url(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
}

/// Reads a URL that may be fetched. The error goes on from the name of the setting.
pub fn https_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if url.scheme() != "https" {
        return Err("must start with https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password".into());
    }
    Ok(url)
}

/// Fetches small documents: over TLS only, without redirects, proxies or cookies, and from public addresses only unless
/// the operator allows others.
pub struct Web {
    client: Client,
    allow_private: bool,
}

impl Web {
    /// Trusts the certificates of `ca_file` alone, or without it those of the system.
    pub fn new(allow_private: bool, ca_file: Option<&Path>) -> Result<Self, String> {
        let mut client = Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            // A fetch every ten minutes gains nothing from open connections.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("jomae/", env!("CARGO_PKG_VERSION")));
        if !allow_private {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        if let Some(path) = ca_file {
            client = client.tls_certs_only(certificates(path)?);
        }
        let client = client.build().map_err(|error| {
            format!("TLS: {}; without ca_file, the system's certificates are needed", causes(&error))
        })?;
        Ok(Self { client, allow_private })
    }

    /// Gets a document of at most [`KEY_SET_BYTES_MAX`] bytes. Anything but 200 is an error.
    pub async fn get(&self, url: &Url) -> Result<Vec<u8>, String> {
        self.expect_public(url)?;
        self.answer(url, self.client.get(url.clone())).await
    }

    /// Sends a form, with a user name and a secret for it if there are any. The answer is as large as a document.
    pub async fn post(&self, url: &Url, form: &str, auth: Option<(&str, &str)>) -> Result<Zeroizing<Vec<u8>>, String> {
        self.expect_public(url)?;
        let mut request = self.client.post(url.clone()).header("content-type", "application/x-www-form-urlencoded");
        if let Some((name, secret)) = auth {
            request = request.basic_auth(name, Some(secret));
        }
        in_time(self.answer(url, request.body(form.to_owned()))).await.map(Zeroizing::new)
    }

    /// A URL with an address needs no look-up, so the resolver does not see it.
    fn expect_public(&self, url: &Url) -> Result<(), String> {
        match literal(url).filter(|address| !self.allow_private && !is_public(*address)) {
            Some(address) => Err(format!("{address} is not a public address (see allow_private)")),
            None => Ok(()),
        }
    }

    async fn answer(&self, url: &Url, request: RequestBuilder) -> Result<Vec<u8>, String> {
        let lost = |error: reqwest::Error| causes(&error);
        let mut answer = request.header("accept", "application/json").send().await.map_err(lost)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{url} answers HTTP {}", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > KEY_SET_BYTES_MAX {
                return Err(format!("{url} is larger than {KEY_SET_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let wrong = |cause: &dyn std::fmt::Display| format!("ca_file {}: {cause}", path.display());
    let pem = files::read_configured(path, CA_FILE_BYTES_MAX).map_err(|error| wrong(&error))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&causes(&error)))?;
    if found.is_empty() { Err(wrong(&"no certificate in it")) } else { Ok(found) }
}

/// An error with everything that led to it; the library's own text is the outermost alone.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text.replace(char::is_control, " ")
}
