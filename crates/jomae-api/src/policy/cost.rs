//! What a policy can cost to ask, in steps: known when it is written, and counted when it is asked.
//!
//! A step is about a nanosecond of one processor of today. The numbers are bounds from above, measured with
//! `bench/src/bin/policy-cost.rs`: what a decision takes depends on texts of the caller, who may make them fit a pattern
//! nearly everywhere.

use super::{Condition, ConditionKey, Pattern, Test, Values};
use crate::limits;

/// Steps of comparing something with a text, as a bound that grows with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Whatever the text.
    pub fixed: u64,
    /// For every 8 bytes of the text.
    pub per_8_bytes: u64,
}

impl Cost {
    /// No step.
    pub const NONE: Self = Self::fixed(0);

    /// So many steps, whatever the text.
    pub const fn fixed(steps: u64) -> Self {
        Self { fixed: steps, per_8_bytes: 0 }
    }

    /// Of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { fixed: self.fixed + other.fixed, per_8_bytes: self.per_8_bytes + other.per_8_bytes }
    }

    /// Of comparing with any of some patterns.
    pub fn of(patterns: &[Pattern]) -> Self {
        patterns.iter().map(Pattern::cost).fold(Self::NONE, Self::and)
    }

    /// With a text of so many bytes.
    pub const fn steps(self, bytes: usize) -> u64 {
        self.fixed + self.per_8_bytes.saturating_mul(bytes as u64) / 8
    }
}

/// Longest full name of a resource that is asked about: that of an alias of 255 characters, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 384;
/// Most pairs of an encryption context that a bound counts with.
const CONTEXT_PAIRS_MAX: u64 = 2048;

impl Condition {
    /// Of comparing its values with one text of the request.
    pub fn cost(&self) -> Cost {
        let of_texts = |texts: &[Box<str>], each: fn(u64) -> u64| {
            texts.iter().map(|text| each(text.len() as u64)).fold(0, u64::saturating_add)
        };
        match &self.values {
            Values::Texts(texts) if self.operator.test == Test::EqualsIgnoreCase => {
                Cost::fixed(of_texts(texts, |bytes| 4 + 12 * bytes))
            }
            Values::Texts(texts) => Cost::fixed(of_texts(texts, |bytes| 3 + bytes / 16)),
            Values::Patterns(patterns) => Cost::of(patterns),
            // The text is read as a number once, each value each time.
            Values::Numbers(texts) => Cost { fixed: of_texts(texts, |bytes| 8 + 2 * bytes), per_8_bytes: 16 },
            Values::Dates(moments) => Cost::fixed(2 * moments.len() as u64),
            Values::Booleans(wanted) => Cost::fixed(2 * wanted.len() as u64),
            Values::Networks(networks) => Cost::fixed(8 * networks.len() as u64),
        }
    }

    /// Of looking up the request's value.
    pub const fn cost_of_value(&self) -> u64 {
        let name = match &self.key {
            ConditionKey::ResourceTag(name)
            | ConditionKey::KmsTag(name)
            | ConditionKey::RequestTag(name)
            | ConditionKey::EncryptionContext(name) => name.len() as u64,
            _ => 0,
        };
        20 + name / 4
    }

    /// Of the condition, whatever the request holds within the limits. Of an encryption context they are counted in
    /// characters, and the bound is that of characters of one byte.
    pub fn steps_max(&self) -> u64 {
        let cost = self.cost();
        let compared = match self.key {
            ConditionKey::EncryptionContextKeys => {
                cost.fixed.saturating_mul(CONTEXT_PAIRS_MAX) + cost.per_8_bytes * bytes_max(&self.key) as u64 / 8
            }
            _ => cost.steps(bytes_max(&self.key)),
        };
        self.cost_of_value().saturating_add(compared)
    }
}

/// Longest value of a key that a bound counts with, in bytes.
const fn bytes_max(key: &ConditionKey) -> usize {
    match key {
        ConditionKey::EncryptionContext(_) | ConditionKey::EncryptionContextKeys => {
            limits::ENCRYPTION_CONTEXT_CHARS_MAX
        }
        ConditionKey::ResourceTag(_) | ConditionKey::KmsTag(_) | ConditionKey::RequestTag(_) => {
            4 * limits::TAG_VALUE_CHARS_MAX
        }
        ConditionKey::ExternalId => 2048,
        ConditionKey::OidcIssuer | ConditionKey::OidcAudience | ConditionKey::OidcSubject => 512,
        ConditionKey::PrincipalArn | ConditionKey::ServiceName => 128,
        ConditionKey::CurrentTime
        | ConditionKey::SecureTransport
        | ConditionKey::SourceIp
        | ConditionKey::MfaPresent
        | ConditionKey::Absent(_) => 0,
    }
}

/// What policies would cost that were refused for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooCostly {
    /// What they can cost together, in steps.
    pub steps: u64,
    /// What they may.
    pub budget: u64,
}

impl TooCostly {
    /// Stands for any in lists of refusals.
    pub const ANY: Self = Self { steps: 2_000_000, budget: limits::POLICY_STEPS_MAX };
}

impl std::fmt::Display for TooCostly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "It can cost {} steps, and the budget is {}.", self.steps, self.budget)
    }
}
