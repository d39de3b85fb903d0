//! Calls of the key service over HTTPS, signed by ACS3-HMAC-SHA256.

use std::{fmt::Write as _, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::{
    API_VERSION, actions,
    param::EncryptionContext,
    sign::{
        Scheme,
        client::{SignRequest, SigningKey},
    },
};
use jomae_crypto::{
    envelope::{self, Content},
    rng,
    secret::SecretBytes,
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::file::{DataKey, DataKeys, Header, KeysError};

/// Largest CA file, in bytes.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Where the service is, and who calls it. No `Debug`.
pub struct Settings {
    /// `https://host:port`.
    pub endpoint: String,
    /// A PEM file of the CA to trust instead of the system's.
    pub ca_file: Option<String>,
    /// Such as `cn-hangzhou`. Every call names it, so that a service that would act in another region refuses.
    pub region: String,
    /// Of a user, of the account, or of temporary credentials.
    pub access_key_id: String,
    /// Signs every request; is never sent.
    pub access_key_secret: SecretBytes,
    /// The security token of temporary credentials.
    pub security_token: Option<String>,
}

/// A client. Keeps its connections open.
pub struct Client {
    http: reqwest::Client,
    url: String,
    host: String,
    settings: Settings,
}

/// Longest text of an [`AccessDenied`] that is taken, in bytes.
const DENIED_TEXT_BYTES_MAX: usize = 4096;

/// `AccessDeniedDetail` of an answer: who lacks which permission, and which policies decided.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessDenied {
    /// The permission, such as `kms:Decrypt`.
    pub auth_action: String,
    /// `SubUser`, `AssumedRoleUser` or `RootUser`.
    pub auth_principal_type: String,
    /// The ID of the user, `<role>:<session>`, or the account.
    pub auth_principal_display_name: String,
    /// `ImplicitDeny` or `ExplicitDeny`.
    pub no_permission_type: String,
    /// Such as `AccountLevelIdentityBasedPolicy`.
    pub policy_type: String,
    /// Opened by DecodeDiagnosticMessage.
    pub encoded_diagnostic_message: Option<String>,
}

impl AccessDenied {
    /// Of an answer. What is not of this form, too long or not fit to be shown is left out.
    fn of(answer: &Value) -> Option<Box<Self>> {
        let read = <Self as serde::Deserialize>::deserialize(answer.get("AccessDeniedDetail")?).ok()?;
        let message = read.encoded_diagnostic_message.as_ref();
        let texts = [
            &read.auth_action,
            &read.auth_principal_type,
            &read.auth_principal_display_name,
            &read.no_permission_type,
            &read.policy_type,
        ];
        let fits = |text: &String| text.len() <= DENIED_TEXT_BYTES_MAX && !text.contains(char::is_control);
        let shown = texts.into_iter().chain(message).all(fits);
        shown.then(|| Box::new(read))
    }
}

impl std::fmt::Display for AccessDenied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = match self.auth_principal_type.as_str() {
            "SubUser" => "user",
            "AssumedRoleUser" => "role session",
            "RootUser" => "account",
            other => other,
        };
        let why = match self.no_permission_type.as_str() {
            "ImplicitDeny" => "no statement allows it",
            "ExplicitDeny" => "a statement denies it",
            other => other,
        };
        let policies = match self.policy_type.as_str() {
            "AccountLevelIdentityBasedPolicy" => "identity policies",
            "SessionPolicy" => "session policy",
            "AssumeRolePolicy" => "trust policy",
            "ResourceBasedPolicy" => "key policy",
            other => other,
        };
        let Self { auth_action, auth_principal_display_name: name, .. } = self;
        write!(f, "{who} {name} may not {auth_action}: {why} ({policies})")
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// No answer came.
    #[error("no answer from {endpoint}: {cause}")]
    Network {
        /// As in [`Settings`].
        endpoint: String,
        /// What was in the way at last, such as `Connection refused`.
        cause: String,
    },
    /// The service says no.
    #[error("{code}: {message}{} (request id {request_id})", .denied.as_ref().map(|denied| format!(" {denied}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// `Code` of the answer, such as `Forbidden.KeyNotFound`.
        code: String,
        /// `Message` of the answer.
        message: String,
        /// By which the audit log knows the call.
        request_id: String,
        /// What is told of a missing permission.
        denied: Option<Box<AccessDenied>>,
    },
    /// The answer is not one of this API.
    #[error("{endpoint} gave an answer that is not of this API (HTTP {status})")]
    Foreign {
        /// As in [`Settings`].
        endpoint: String,
        /// The HTTP status.
        status: u16,
    },
}

impl Client {
    /// Makes a client; no connection yet.
    pub fn new(settings: Settings) -> Result<Self, CallError> {
        let wrong = |text: String| CallError::Settings(text);
        let url = reqwest::Url::parse(&settings.endpoint)
            .map_err(|error| wrong(format!("the endpoint `{}` is not a URL: {error}", settings.endpoint)))?;
        if url.scheme() != "https" {
            return Err(wrong(format!("the endpoint `{}` must start with https://", settings.endpoint)));
        }
        // In a header they would fail call by call, and the error would not say why.
        for (what, value) in [
            ("region", Some(&settings.region)),
            ("access key id", Some(&settings.access_key_id)),
            ("security token", settings.security_token.as_ref()),
        ] {
            if value.is_some_and(|value| value.contains(char::is_control)) {
                return Err(wrong(format!("the {what} holds a control character, such as a line end")));
            }
        }
        let mut host = url.host_str().unwrap_or_default().to_owned();
        if let Some(port) = url.port() {
            let _ = write!(host, ":{port}");
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("jomae/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &settings.ca_file {
            http = http.tls_certs_only(certificates(Path::new(path))?);
        }
        let http = http.build().map_err(|error| wrong(format!("TLS: {}", causes(&error))))?;
        Ok(Self { http, url: format!("https://{host}/"), host, settings })
    }

    /// Where the service is, `https://host:port`.
    pub fn endpoint(&self) -> &str {
        &self.settings.endpoint
    }

    /// The region that the settings name.
    pub fn region(&self) -> &str {
        &self.settings.region
    }

    /// Calls an action, of the API that has it. Parameters travel in a form body. Gives the members of the answer.
    pub async fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<Value, CallError> {
        let mut params = params.to_vec();
        if !params.iter().any(|(name, _)| *name == "RegionId") {
            params.push(("RegionId", &self.settings.region));
        }
        let nonce = hex::encode(rng::array::<16>());
        let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let signed = SignRequest {
            scheme: Scheme::Acs3HmacSha256,
            access_key_id: &self.settings.access_key_id,
            key: SigningKey::Secret(self.settings.access_key_secret.expose()),
            security_token: self.settings.security_token.as_deref(),
            action,
            version: actions::find(action).map_or(API_VERSION, |spec| spec.api().version()),
            host: &self.host,
            method: "POST",
            params: &[],
            form: &params,
            date: &date,
            nonce: &nonce,
            region: &self.settings.region,
        }
        .sign()
        .map_err(|error| CallError::Settings(error.to_string()))?;
        let mut request = self.http.post(&self.url).body(signed.body);
        for (name, value) in &signed.headers {
            request = request.header(*name, value);
        }
        let lost = |error: &reqwest::Error| CallError::Network {
            endpoint: self.settings.endpoint.clone(),
            cause: root_cause(error),
        };
        let mut answer = request.send().await.map_err(|error| lost(&error))?;
        let status = answer.status().as_u16();
        let foreign = || CallError::Foreign { endpoint: self.settings.endpoint.clone(), status };
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(foreign());
            }
            body.extend_from_slice(&chunk);
        }
        let members: Value = serde_json::from_slice(&body).map_err(|_| foreign())?;
        if status == 200 {
            return Ok(members);
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("Code").is_empty() {
            return Err(foreign());
        }
        // The service appends the string to sign, which repeats every parameter.
        let mut message = text("Message");
        if let Some(at) = message.find(" server string to sign is:") {
            message.truncate(at);
        }
        Err(CallError::Refused {
            status,
            code: text("Code"),
            message,
            request_id: text("RequestId"),
            denied: AccessDenied::of(&members),
        })
    }
}

impl Client {
    /// Encrypts at most 6144 bytes under a key (id, ARN or alias): the bytes of the service's `CiphertextBlob`.
    pub async fn encrypt(&self, key_id: &str, context: &EncryptionContext, plain: &[u8]) -> Result<Vec<u8>, KeysError> {
        let plain = Zeroizing::new(STANDARD.encode(plain));
        let context = context_json(context);
        let mut params = vec![("KeyId", key_id), ("Plaintext", plain.as_str())];
        params.extend(context.as_deref().map(|json| ("EncryptionContext", json)));
        bytes_member(&self.call("Encrypt", &params).await?, "CiphertextBlob")
    }

    /// What [`Client::encrypt`] encrypted, or anybody else who called Encrypt. `context` must be the same.
    pub async fn decrypt(&self, blob: &[u8], context: &EncryptionContext) -> Result<SecretBytes, KeysError> {
        let encoded = STANDARD.encode(blob);
        let context = context_json(context);
        let mut params = vec![("CiphertextBlob", encoded.as_str())];
        params.extend(context.as_deref().map(|json| ("EncryptionContext", json)));
        let answer = self.call("Decrypt", &params).await?;
        let plain = match envelope::content(blob) {
            // What was encrypted without Base64 comes back without it.
            Some(Content::Text) => text_member(&answer, "Plaintext")?.into_bytes(),
            _ => bytes_member(&answer, "Plaintext")?,
        };
        Ok(SecretBytes::new(plain))
    }
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, CallError> {
    let wrong = |cause: String| CallError::Settings(format!("the CA file {}: {cause}", path.display()));
    if std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len() > CA_FILE_BYTES_MAX {
        return Err(wrong("larger than 1 MiB".into()));
    }
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(causes(&error)))?;
    if certificates.is_empty() { Err(wrong("no certificate in it".into())) } else { Ok(certificates) }
}

/// An error and what caused it, in one line. None of it holds what was sent.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// What caused an error at last, behind all that only wraps it.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

fn context_json(context: &EncryptionContext) -> Option<String> {
    (!context.pairs().is_empty()).then(|| serde_json::json!(context.pairs()).to_string())
}

fn text_member(answer: &Value, name: &str) -> Result<String, KeysError> {
    answer.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("the answer lacks {name}").into())
}

fn bytes_member(answer: &Value, name: &str) -> Result<Vec<u8>, KeysError> {
    let text = Zeroizing::new(text_member(answer, name)?);
    STANDARD.decode(text.as_bytes()).map_err(|_| format!("{name} of the answer is not Base64").into())
}

impl DataKeys for Client {
    async fn generate(&self, key_id: &str, context: &EncryptionContext) -> Result<DataKey, KeysError> {
        let context = context_json(context);
        let mut params = vec![("KeyId", key_id), ("KeySpec", "AES_256")];
        params.extend(context.as_deref().map(|json| ("EncryptionContext", json)));
        let answer = self.call("GenerateDataKey", &params).await?;
        Ok(DataKey {
            plain: SecretBytes::new(bytes_member(&answer, "Plaintext")?),
            encrypted: bytes_member(&answer, "CiphertextBlob")?,
            key_id: text_member(&answer, "KeyId")?,
            region: self.settings.region.clone(),
        })
    }

    async fn decrypt(&self, header: &Header, context: &EncryptionContext) -> Result<SecretBytes, KeysError> {
        self.decrypt(&header.encrypted_key, context).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_denial_is_shown_in_one_line() {
        let mut answer = serde_json::json!({ "AccessDeniedDetail": {
            "AuthAction": "kms:Decrypt", "AuthPrincipalType": "SubUser", "AuthPrincipalDisplayName": "2058",
            "AuthPrincipalOwnerId": "1", "NoPermissionType": "ImplicitDeny",
            "PolicyType": "AccountLevelIdentityBasedPolicy", "EncodedDiagnosticMessage": "AQ==",
        }});
        let denied = AccessDenied::of(&answer).unwrap();
        let expected = "user 2058 may not kms:Decrypt: no statement allows it (identity policies)";
        assert_eq!(denied.to_string(), expected);
        for wrong in ["a\nb".to_owned(), "a".repeat(DENIED_TEXT_BYTES_MAX + 1)] {
            answer["AccessDeniedDetail"]["AuthAction"] = wrong.into();
            assert_eq!(AccessDenied::of(&answer), None);
        }
        assert_eq!(AccessDenied::of(&serde_json::json!({ "AccessDeniedDetail": "text" })), None);
    }
}
