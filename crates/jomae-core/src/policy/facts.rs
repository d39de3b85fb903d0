//! What is known of a request, and whether conditions hold of it.

use core::net::IpAddr;
use std::cmp::Ordering;

use jomae_api::{
    actions::params::Tags,
    names::AccountId,
    param::EncryptionContext,
    policy::{Condition, ConditionKey, Decimal, Effect, PrincipalPattern, Test, Values},
    time::Timestamp,
};

/// What conditions look at. `None`: the request has no such value.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub secure_transport: bool,
    pub source_ip: Option<IpAddr>,
    pub mfa_present: Option<bool>,
    pub principal_arn: &'a str,
    pub encryption_context: Option<&'a EncryptionContext>,
    pub resource_tags: Option<&'a Tags>,
    pub request_tags: Option<&'a Tags>,
    /// Values of `ram:ServiceName`, `sts:ExternalId`, `oidc:iss`, `oidc:aud` and `oidc:sub`, under these names; a name
    /// may stand several times.
    pub more: &'a [(&'static str, &'a str)],
}

/// A question to a policy.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// From [`super::action_number`].
    pub action: u16,
    /// The full name of what is acted on, or `*` where there is nothing.
    pub resource: &'a str,
    pub facts: &'a Facts<'a>,
}

/// Who asks, to policies that name principals.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    Root {
        account: &'a AccountId,
    },
    User {
        account: &'a AccountId,
        name: &'a str,
    },
    /// A session of the role.
    Role {
        account: &'a AccountId,
        name: &'a str,
    },
    /// Somebody for whom an OIDC provider vouches.
    Federated {
        provider_arn: &'a str,
    },
}

/// How a policy names a principal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Itself,
    ByAccount,
}

pub(super) fn named(pattern: &PrincipalPattern, principal: &Principal<'_>) -> Option<Named> {
    let itself = |is: bool| is.then_some(Named::Itself);
    match (pattern, principal) {
        (PrincipalPattern::Account(wanted), Principal::Root { account }) => itself(wanted == *account),
        (PrincipalPattern::Account(wanted), Principal::User { account, .. } | Principal::Role { account, .. }) => {
            (wanted == *account).then_some(Named::ByAccount)
        }
        (PrincipalPattern::User { account: wanted, name: of }, Principal::User { account, name })
        | (PrincipalPattern::Role { account: wanted, name: of }, Principal::Role { account, name }) => {
            itself(wanted == *account && **of == **name)
        }
        (PrincipalPattern::Federated(wanted), Principal::Federated { provider_arn }) => {
            itself(**wanted == **provider_arn)
        }
        _ => None,
    }
}

/// What became of a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    No,
    /// It is not met, and the request has no value to compare.
    NoValue,
}

/// Where the request has no value, nothing is allowed: a positive operator is not met, and a negated one only in a
/// `Deny`.
pub(super) fn met(condition: &Condition, facts: &Facts<'_>, effect: Effect) -> Met {
    let negated = condition.operator.negated;
    match any_equal(condition, facts) {
        Some(any) if any != negated => Met::Yes,
        Some(_) => Met::No,
        None if negated && effect == Effect::Deny => Met::Yes,
        None => Met::NoValue,
    }
}

/// Whether a value of the request compares with a value of the condition, as its operator without the negation has it.
/// `None`: the request has no value.
fn any_equal(condition: &Condition, facts: &Facts<'_>) -> Option<bool> {
    let (key, test) = (&condition.key, condition.operator.test);
    if key.is_absent() {
        return None;
    }
    match &condition.values {
        Values::Texts(values) if test == Test::EqualsIgnoreCase => {
            any_text(key, facts, |found| Some(values.iter().any(|value| is_same_ignoring_case(found, value))))
        }
        Values::Texts(values) => any_text(key, facts, |found| Some(values.iter().any(|value| **value == *found))),
        Values::Patterns(values) => any_text(key, facts, |found| Some(values.iter().any(|value| value.matches(found)))),
        Values::Numbers(values) => any_text(key, facts, |found| {
            let found = Decimal::new(found)?;
            Some(values.iter().filter_map(|value| Decimal::new(value)).any(|value| is_so(test, found.cmp(&value))))
        }),
        Values::Dates(values) => Some(values.iter().any(|value| is_so(test, facts.now.cmp(value)))),
        Values::Booleans(values) => {
            let found =
                if *key == ConditionKey::SecureTransport { facts.secure_transport } else { facts.mfa_present? };
            Some(values.contains(&found))
        }
        Values::Networks(values) => {
            let found = facts.source_ip?.to_canonical();
            Some(values.iter().any(|network| network.contains(&found)))
        }
    }
}

fn is_so(test: Test, order: Ordering) -> bool {
    match test {
        Test::Equals => order.is_eq(),
        Test::Less => order.is_lt(),
        Test::LessOrEqual => order.is_le(),
        Test::Greater => order.is_gt(),
        Test::GreaterOrEqual => order.is_ge(),
        Test::EqualsIgnoreCase | Test::Like | Test::Within => false,
    }
}

fn is_same_ignoring_case(one: &str, other: &str) -> bool {
    one.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}

/// Whether `compare` holds of one of the texts of the key; what it cannot compare counts as absent.
fn any_text(key: &ConditionKey, facts: &Facts<'_>, compare: impl Fn(&str) -> Option<bool>) -> Option<bool> {
    let further =
        |name: &str| any(facts.more.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value), &compare);
    match key {
        ConditionKey::PrincipalArn => compare(facts.principal_arn),
        ConditionKey::ResourceTag(name) | ConditionKey::KmsTag(name) => compare(facts.resource_tags?.get(&**name)?),
        ConditionKey::RequestTag(name) => compare(facts.request_tags?.get(&**name)?),
        ConditionKey::EncryptionContext(name) => compare(facts.encryption_context?.pairs().get(&**name)?),
        ConditionKey::EncryptionContextKeys => {
            any(facts.encryption_context?.pairs().keys().map(String::as_str), &compare)
        }
        ConditionKey::ServiceName
        | ConditionKey::ExternalId
        | ConditionKey::OidcIssuer
        | ConditionKey::OidcAudience
        | ConditionKey::OidcSubject => further(key.family()),
        ConditionKey::CurrentTime
        | ConditionKey::SecureTransport
        | ConditionKey::SourceIp
        | ConditionKey::MfaPresent
        | ConditionKey::Absent(_) => None,
    }
}

fn any<'t>(texts: impl Iterator<Item = &'t str>, compare: impl Fn(&str) -> Option<bool>) -> Option<bool> {
    let mut found = None;
    for text in texts {
        match compare(text) {
            Some(true) => return Some(true),
            Some(false) => found = Some(false),
            None => {}
        }
    }
    found
}
