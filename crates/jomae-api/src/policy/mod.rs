//! Policies: their language, read once and strictly. What they allow is decided in `jomae-core`.
//!
//! Anything that is not known is refused with its place, never skipped: a condition that nobody reads would allow what
//! it was written to prevent. What other services know is taken: a policy brought along is about them too.

mod condition;
mod cost;
mod decimal;
mod document;
mod json;
mod key_policy;
mod known;
mod pattern;
mod place;
mod principal;
mod read;

pub use condition::{Class, Condition, ConditionKey, Operator, Test, Values};
pub use cost::{Cost, RESOURCE_BYTES_MAX, TooCostly};
pub use decimal::Decimal;
pub use document::{Actions, Effect, Policy, Statement};
pub use key_policy::KeyPolicy;
pub use pattern::Pattern;
pub use place::{Place, place_of};
pub use principal::PrincipalPattern;
pub use read::parse;

use crate::limits;

/// What a policy is attached to, which decides what its statements must and may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Of a user, group or role: `Action` or `NotAction`, and `Resource`.
    Identity,
    /// Narrows one session of a role: as [`Form::Identity`], but shorter.
    Session,
    /// Of a key: `Principal`, `Action` of `kms`, and the `Resource` `*`.
    Key,
    /// Of a role, who may take it: `Principal` and `Action` of `sts`; no `Resource`.
    Trust,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Session, Self::Key, Self::Trust];

    /// Largest document, in bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Identity => limits::RAM_POLICY_BYTES_MAX,
            Self::Session => limits::SESSION_POLICY_BYTES_MAX,
            Self::Key => limits::POLICY_BYTES_MAX,
            Self::Trust => limits::TRUST_POLICY_BYTES_MAX,
        }
    }

    /// Whether statements say whom they are about.
    pub const fn has_principals(self) -> bool {
        matches!(self, Self::Key | Self::Trust)
    }
}

/// Most statements of one document; our choice.
pub const STATEMENTS_MAX: usize = 100;
/// Longest `Sid`, in characters (page "Overview of key policies").
pub const SID_CHARS_MAX: usize = 128;

/// Where and why a policy document is not one. Holds no text of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which statement, from 1; 0: the document as a whole.
    pub statement: u16,
    /// Which part of it, by its name in the document.
    pub element: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Malformed {
    /// Stands for any in lists of refusals.
    pub const ANY: Self = Self { statement: 1, element: "Effect", reason: "must be Allow or Deny" };
}

impl std::error::Error for Malformed {}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.statement > 0 {
            write!(f, "Statement {}: ", self.statement)?;
        }
        write!(f, "{}: {}", self.element, self.reason)
    }
}

#[cfg(test)]
mod tests;
