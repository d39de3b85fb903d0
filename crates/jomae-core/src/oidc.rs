//! Identity providers that speak OpenID Connect, and the tokens that they issue: what AssumeRoleWithOIDC needs to know.
//! How keys are got and signatures checked is behind [`TokenVerifier`].

use std::ops::RangeInclusive;

use jomae_api::{limits, names::AccountId, time::Timestamp};

use crate::store::BoxFuture;

/// Length of a provider's name, in characters.
pub const NAME_CHARS: RangeInclusive<usize> = 1..=128;
/// Largest token that is looked at, in bytes; tokens are ASCII.
pub const TOKEN_BYTES_MAX: usize = *limits::OIDC_TOKEN_CHARS.end();
/// Longest subject, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 256;

/// An identity provider that an account trusts to name its users. Roles still decide which of them may assume them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The account that trusts it.
    pub account: AccountId,
    /// 1–128 letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// The claim `iss` of its tokens, to the letter.
    pub issuer: String,
    /// A token must be meant for one of these (its claim `aud`).
    pub client_ids: Vec<String>,
}

impl Provider {
    /// Whether the text can name a provider.
    pub fn is_name(text: &str) -> bool {
        NAME_CHARS.contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    }

    /// `acs:ram::<account>:oidc-provider/<name>`.
    pub fn arn(&self) -> String {
        format!("acs:ram::{}:oidc-provider/{}", self.account, self.name)
    }
}

/// What a verified token says. It names a person or a machine: no `Debug`, so that it never gets whole into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    /// The provider's issuer.
    pub issuer: String,
    /// Everything the token is meant for, in its order. At least one.
    pub audience: Vec<String>,
    /// The first entry of the audience that is one of the provider's client ids.
    pub client_id: String,
    /// Whom the token names: 1 to [`SUBJECT_BYTES_MAX`] bytes.
    pub subject: String,
    /// From this moment on the token is worth nothing.
    pub expires: Timestamp,
    /// When the token was issued, if it says so.
    pub issued: Option<Timestamp>,
    /// What whoever asked for the token has put into it (`nonce`), if anybody did.
    pub nonce: Option<String>,
    /// For whom the token was issued (`azp`), if it says so.
    pub authorized_party: Option<String>,
}

/// Why a token is not accepted. Nothing of the token is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    #[error("no such identity provider")]
    ProviderNotFound,
    /// Too large, not a signed token, of an algorithm that is not accepted, or without a claim that must be there.
    #[error("the token is malformed or of an algorithm that is not accepted")]
    TokenMalformed,
    #[error("the token has expired")]
    TokenExpired,
    #[error("the token is not valid yet")]
    TokenNotYetValid,
    #[error("the token is of another issuer")]
    IssuerMismatch,
    #[error("the token is meant for another client")]
    AudienceMismatch,
    /// The signature is wrong, or of a key that the provider does not publish.
    #[error("the token's signature is not one of the provider's")]
    SignatureInvalid,
    /// The provider's keys cannot be got; the cause is for the operator.
    #[error("the provider's keys cannot be got: {0}")]
    KeysUnavailable(String),
}

/// Checks tokens against the keys of their providers.
pub trait TokenVerifier: Send + Sync {
    /// The provider of this resource name.
    fn provider(&self, arn: &str) -> Option<&Provider>;

    /// Checks signature, issuer, audience and times of a token of at most [`TOKEN_BYTES_MAX`] bytes. May wait for the
    /// provider's keys, for some seconds at most.
    fn verify<'a>(
        &'a self,
        provider: &'a Provider,
        token: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Claims, OidcError>>;
}

/// Knows no provider.
pub struct NoProviders;

impl TokenVerifier for NoProviders {
    fn provider(&self, _: &str) -> Option<&Provider> {
        None
    }

    fn verify<'a>(&'a self, _: &'a Provider, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Claims, OidcError>> {
        Box::pin(std::future::ready(Err(OidcError::ProviderNotFound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns() {
        for good in ["a", "ci", "A.b-c_9", &"n".repeat(128)] {
            assert!(Provider::is_name(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "a:b", "é", "a*", &"n".repeat(129)] {
            assert!(!Provider::is_name(bad), "{bad}");
        }
        let provider = Provider {
            account: AccountId::new("1234567890123456").unwrap(),
            name: "ci".to_owned(),
            issuer: "https://ci.example.com".to_owned(),
            client_ids: vec!["sts.aliyuncs.com".to_owned()],
        };
        assert_eq!(provider.arn(), "acs:ram::1234567890123456:oidc-provider/ci");
        assert!(NoProviders.provider(&provider.arn()).is_none());
    }
}
