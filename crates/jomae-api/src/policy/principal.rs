//! Whom a statement of a key or trust policy is about.

use crate::names::AccountId;

/// Longest name of a user or role, and of an OIDC provider, in characters (pages "CreateUser", "CreateRole",
/// "CreateOIDCProvider").
const NAME_CHARS_MAX: usize = 64;
const PROVIDER_CHARS_MAX: usize = 128;
const SERVICE_CHARS_MAX: usize = 128;

/// One principal that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalPattern {
    /// `acs:ram::<account>:root` or `acs:ram::<account>:*`: the account and everyone of it.
    Account(AccountId),
    /// `acs:ram::<account>:user/<name>`.
    User {
        /// Whose it is.
        account: AccountId,
        /// Within the account.
        name: Box<str>,
    },
    /// `acs:ram::<account>:role/<name>`: every session of the role.
    Role {
        /// Whose it is.
        account: AccountId,
        /// Within the account.
        name: Box<str>,
    },
    /// `acs:ram::<account>:oidc-provider/<name>`: everyone for whom the provider vouches.
    Federated(Box<str>),
    /// A service of the public cloud, such as `ecs.aliyuncs.com`; nobody here.
    Service(Box<str>),
}

impl PrincipalPattern {
    /// Reads a value of the member `RAM`.
    pub(super) fn ram(text: &str) -> Option<Self> {
        let (account, who) = account_and_rest(text)?;
        if matches!(who, "root" | "*") {
            return Some(Self::Account(account));
        }
        let (kind, name) = who.split_once('/')?;
        if !is_name(name, NAME_CHARS_MAX) {
            return None;
        }
        match kind {
            "user" => Some(Self::User { account, name: name.into() }),
            "role" => Some(Self::Role { account, name: name.into() }),
            _ => None,
        }
    }

    /// Reads a value of the member `Federated`.
    pub(super) fn federated(text: &str) -> Option<Self> {
        let (_, who) = account_and_rest(text)?;
        let name = who.strip_prefix("oidc-provider/")?;
        is_name(name, PROVIDER_CHARS_MAX).then(|| Self::Federated(text.into()))
    }

    /// Reads a value of the member `Service`.
    pub(super) fn service(text: &str) -> Option<Self> {
        (is_name(text, SERVICE_CHARS_MAX) && text.contains('.')).then(|| Self::Service(text.into()))
    }
}

fn account_and_rest(text: &str) -> Option<(AccountId, &str)> {
    let (account, rest) = text.strip_prefix("acs:ram::")?.split_once(':')?;
    Some((AccountId::new(account)?, rest))
}

fn is_name(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}
