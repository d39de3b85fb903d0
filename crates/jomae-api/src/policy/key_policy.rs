//! The policy of a key, as it is stored.

use serde::{Deserialize, Serialize};

use super::{Form, Malformed, Policy, parse};

/// A key policy that is well formed; kept as the text that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicy(String);

impl KeyPolicy {
    /// Reads a policy document of [`Form::Key`].
    pub fn from_json(text: &str) -> Option<Self> {
        Self::read(text).ok()
    }

    /// Reads a policy document of [`Form::Key`], or says where it is none.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        parse(text, Form::Key).map(|_| Self(text.to_owned()))
    }

    /// The policy that a key has unless another is set: everyone of the account, as far as RAM allows.
    pub fn default_of(account: &crate::names::AccountId) -> Self {
        Self(format!(
            r#"{{"Version":"1","Statement":[{{"Sid":"kms default key policy","Effect":"Allow","Principal":{{"RAM":["acs:ram::{account}:*"]}},"Action":["kms:*"],"Resource":["*"]}}]}}"#
        ))
    }

    /// What it says. An error only if the stored text was damaged.
    pub fn policy(&self) -> Result<Policy, Malformed> {
        parse(&self.0, Form::Key)
    }

    /// The document as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
