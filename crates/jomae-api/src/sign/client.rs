//! The client's side: makes a request that [`super::Presented`] takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jomae_crypto::hash::Hasher;
use jomae_crypto::rsa;
use zeroize::Zeroizing;

use super::acs::{self, SCOPE_END, Scope};
use super::secret::mac_key;
use super::{Scheme, canonical, rpc};
use crate::wire::percent;

/// The content type of a form body.
const FORM: &str = "application/x-www-form-urlencoded";

/// What signs. No `Debug`.
#[derive(Clone, Copy)]
pub enum SigningKey<'a> {
    /// The access key secret, for the HMAC schemes.
    Secret(&'a [u8]),
    /// A DER PKCS#8 RSA private key, for the RSA schemes.
    Pkcs8(&'a [u8]),
}

/// A request to be signed. No `Debug`.
#[derive(Clone, Copy)]
pub struct SignRequest<'a> {
    /// How to sign.
    pub scheme: Scheme,
    /// The ID of the access key.
    pub access_key_id: &'a str,
    /// Its other half.
    pub key: SigningKey<'a>,
    /// Of temporary credentials.
    pub security_token: Option<&'a str>,
    /// Such as `Encrypt`.
    pub action: &'a str,
    /// Of the API: `2016-01-20`.
    pub version: &'a str,
    /// The `Host` that will be sent, with the port if it is not the default.
    pub host: &'a str,
    /// Upper-case method.
    pub method: &'a str,
    /// Parameters for the query, in any order.
    pub params: &'a [(&'a str, &'a str)],
    /// Parameters for a form body, in any order; no body if there are none.
    pub form: &'a [(&'a str, &'a str)],
    /// Now, as `YYYY-MM-DDThh:mm:ssZ`.
    pub date: &'a str,
    /// New for each request.
    pub nonce: &'a str,
    /// Region of the credential scope; ACS4 alone uses it.
    pub region: &'a str,
}

/// A request ready to be sent to the path `/`. No `Debug`: it holds all parameters.
pub struct SignedRequest {
    /// Without the question mark.
    pub query: String,
    /// Names in lower case, `host` among them.
    pub headers: Vec<(&'static str, String)>,
    /// The form; empty if there are no form parameters.
    pub body: Vec<u8>,
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// An RSA scheme needs a PKCS#8 RSA key of at least 2048 bits, every other scheme a secret.
    WrongKey,
    /// A parameter is given twice, or is one that the signature adds itself.
    DuplicateName,
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WrongKey => "the signing key does not fit the signature scheme",
            Self::DuplicateName => "a request parameter is given twice",
        })
    }
}

impl std::error::Error for ClientError {}

impl SignRequest<'_> {
    /// Signs.
    pub fn sign(&self) -> Result<SignedRequest, ClientError> {
        if self.scheme.is_rpc() { self.sign_rpc() } else { self.sign_acs() }
    }

    fn sign_rpc(&self) -> Result<SignedRequest, ClientError> {
        let mut in_query = Vec::with_capacity(self.params.len() + 10);
        in_query.extend_from_slice(&[
            ("AccessKeyId", self.access_key_id),
            ("Action", self.action),
            ("Format", "JSON"),
            ("SignatureMethod", self.scheme.name()),
            ("SignatureNonce", self.nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", self.date),
            ("Version", self.version),
        ]);
        if self.scheme.is_rsa() {
            in_query.push(("SignatureType", "PRIVATEKEY"));
        }
        if let Some(token) = self.security_token {
            in_query.push(("SecurityToken", token));
        }
        in_query.extend_from_slice(self.params);
        let mut all = in_query.clone();
        all.extend_from_slice(self.form);
        sort(&mut all)?;
        if all.iter().any(|(name, _)| *name == "Signature") {
            return Err(ClientError::DuplicateName);
        }
        let pairs = all.iter().copied();
        let signature = match (self.scheme.is_rsa(), self.key) {
            (false, SigningKey::Secret(secret)) => {
                let key = mac_key(self.scheme, secret);
                STANDARD.encode(&*rpc::tag(&key, |mac| canonical::rpc(self.method, pairs, mac)))
            }
            (true, SigningKey::Pkcs8(key)) => {
                let mut message = Zeroizing::new(Vec::new());
                canonical::rpc(self.method, pairs, &mut *message);
                STANDARD.encode(rsa::sign_pkcs1_sha256(key, &message).map_err(|_| ClientError::WrongKey)?)
            }
            _ => return Err(ClientError::WrongKey),
        };
        let mut query = encode(&in_query);
        percent::push_pair(&mut query, "Signature", &signature);
        let mut headers = vec![("host", self.host.to_owned()), ("accept", "application/json".to_owned())];
        if !self.form.is_empty() {
            headers.push(("content-type", FORM.to_owned()));
        }
        Ok(SignedRequest { query, headers, body: encode(self.form).into_bytes() })
    }

    fn sign_acs(&self) -> Result<SignedRequest, ClientError> {
        let mut all = self.params.to_vec();
        all.extend_from_slice(self.form);
        sort(&mut all)?;
        let mut in_query = self.params.to_vec();
        sort(&mut in_query)?;
        let query = encode(&in_query);
        let body = encode(self.form).into_bytes();
        let payload_hash = text(&acs::hash_hex(self.scheme, &body));

        let mut headers = Vec::with_capacity(12);
        if !self.form.is_empty() {
            headers.push(("content-type", FORM.to_owned()));
        }
        headers.push(("host", self.host.to_owned()));
        if self.security_token.is_some() {
            headers.push(("x-acs-accesskey-id", self.access_key_id.to_owned()));
        }
        headers.push(("x-acs-action", self.action.to_owned()));
        headers.push((self.scheme.payload_hash_header(), payload_hash.clone()));
        headers.push(("x-acs-date", self.date.to_owned()));
        if let Some(token) = self.security_token {
            headers.push(("x-acs-security-token", token.to_owned()));
        }
        headers.push(("x-acs-signature-nonce", self.nonce.to_owned()));
        headers.push(("x-acs-version", self.version.to_owned()));
        let mut signed_headers = String::with_capacity(192);
        for (name, _) in &headers {
            if !signed_headers.is_empty() {
                signed_headers.push(';');
            }
            signed_headers.push_str(name);
        }

        let texts = canonical::Acs {
            method: self.method,
            path: "/",
            signed_headers: &signed_headers,
            payload_hash: &payload_hash,
        };
        let values = headers.iter().map(|(name, value)| (*name, std::iter::once(value.trim_ascii().as_bytes())));
        let mut hasher = Hasher::new(self.scheme.hash_alg());
        canonical::acs(&texts, in_query.iter().copied(), values, &mut hasher);
        let to_sign = acs::name_digest(self.scheme, &hasher.finish());

        let day: String = self.date.chars().take(10).filter(|c| *c != '-').collect();
        let scope = self.scheme.is_acs4().then_some(Scope { date: &day, region: self.region, product: "Kms" });
        let signature = match (self.scheme.is_rsa(), self.key) {
            (false, SigningKey::Secret(secret)) => {
                let key = mac_key(self.scheme, secret);
                hex::encode(&*acs::tag(self.scheme, &key, scope.as_ref(), &to_sign))
            }
            (true, SigningKey::Pkcs8(key)) => {
                hex::encode(rsa::sign_pkcs1_sha256(key, to_sign.as_bytes()).map_err(|_| ClientError::WrongKey)?)
            }
            _ => return Err(ClientError::WrongKey),
        };
        let mut authorization = String::with_capacity(384);
        for piece in [self.scheme.name(), " Credential=", self.access_key_id] {
            authorization.push_str(piece);
        }
        for part in scope.iter().flat_map(|scope| [scope.date, scope.region, scope.product, SCOPE_END]) {
            authorization.push('/');
            authorization.push_str(part);
        }
        for piece in [",SignedHeaders=", &signed_headers, ",Signature=", &signature] {
            authorization.push_str(piece);
        }
        headers.push(("accept", "application/json".to_owned()));
        headers.push(("authorization", authorization));
        Ok(SignedRequest { query, headers, body })
    }
}

fn sort(pairs: &mut [(&str, &str)]) -> Result<(), ClientError> {
    pairs.sort_unstable_by_key(|(name, _)| *name);
    let twice = pairs.array_windows().any(|[(a, _), (b, _)]| a == b);
    if twice { Err(ClientError::DuplicateName) } else { Ok(()) }
}

fn encode(pairs: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len() * 2 + 2).sum());
    for (name, value) in pairs {
        percent::push_pair(&mut text, name, value);
    }
    text
}

fn text(hex: &[u8]) -> String {
    hex.iter().copied().map(char::from).collect()
}
