//! Who calls, in the words of policies and events.

use std::{borrow::Cow, sync::Arc};

use jomae_api::names::AccountId;

use super::token::Session;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the caller acts for; of a role session the role's.
    pub account: AccountId,
    /// Empty for a caller who has signed in to the console, or shows a token of an OIDC provider instead of a signature.
    pub access_key_id: String,
    pub who: Who,
    /// Of a person who has signed in to the console; none for calls that are signed with an access key.
    pub signed_in: Option<SignInFacts>,
}

/// What is known of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInFacts {
    /// Unix seconds.
    pub at: i64,
    /// Whether a second factor was shown.
    pub mfa: bool,
    /// Whether the user has to bind an MFA device before anything else, and so needs no policy for it.
    pub must_bind: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The account itself, by one of its access keys.
    Root,
    User {
        id: String,
        name: String,
    },
    /// Somebody who has assumed a role.
    Session(Arc<Session>),
    /// Somebody whom an OIDC provider vouches for. May do nothing but assume a role.
    Federated(Arc<Federated>),
}

/// What an OIDC token has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federated {
    pub provider_arn: String,
    pub issuer: String,
    pub audience: String,
    pub subject: String,
    /// Unix seconds.
    pub token_expires: i64,
    /// Unix seconds.
    pub token_issued: Option<i64>,
    pub client_ids: Vec<String>,
}

impl Caller {
    /// By what name usage counts know the caller: the access key, or else who has signed in.
    pub fn name(&self) -> &str {
        match &self.who {
            _ if !self.access_key_id.is_empty() => &self.access_key_id,
            Who::Root => self.account.as_str(),
            Who::User { id, .. } => id,
            Who::Session(session) => &session.access_key_id,
            Who::Federated(_) => "",
        }
    }

    /// The account that the caller acts for.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    pub const fn is_root(&self) -> bool {
        matches!(self.who, Who::Root)
    }

    /// `acs:ram::<account>:root`, `…:user/<name>`, `…:assumed-role/<role>/<session>`, or the provider's name.
    pub fn arn(&self) -> String {
        let account = &self.account;
        match &self.who {
            Who::Root => format!("acs:ram::{account}:root"),
            Who::User { name, .. } => format!("acs:ram::{account}:user/{name}"),
            Who::Session(session) => {
                format!("acs:ram::{account}:assumed-role/{}/{}", session.role_name, session.session_name)
            }
            Who::Federated(federated) => federated.provider_arn.clone(),
        }
    }

    /// `userName` of events: `root`, the user's name, `<role>:<session>`, or the subject of the token.
    pub fn user_name(&self) -> Cow<'_, str> {
        match &self.who {
            Who::Root => Cow::Borrowed("root"),
            Who::User { name, .. } => Cow::Borrowed(name),
            Who::Session(session) => Cow::Owned(format!("{}:{}", session.role_name, session.session_name)),
            Who::Federated(federated) => Cow::Borrowed(&federated.subject),
        }
    }

    /// `principalId` of events: the account, the user's id, `<role-id>:<session>`, or the provider's name.
    pub fn principal_id(&self) -> Cow<'_, str> {
        match &self.who {
            Who::Root => Cow::Borrowed(self.account.as_str()),
            Who::User { id, .. } => Cow::Borrowed(id),
            Who::Session(session) => Cow::Owned(format!("{}:{}", session.role_id, session.session_name)),
            Who::Federated(federated) => Cow::Borrowed(&federated.provider_arn),
        }
    }

    /// `type` of events.
    pub const fn event_type(&self) -> &'static str {
        match self.who {
            Who::Root => "root-account",
            Who::User { .. } => "ram-user",
            Who::Session(_) => "assumed-role",
            Who::Federated(_) => "oidc-user",
        }
    }
}
