//! What is known of a request, and whether conditions hold of it.

use core::net::IpAddr;
use std::{
    cell::{Cell, OnceCell},
    cmp::Ordering,
};

use jomae_api::{
    actions::params::Tags,
    limits,
    names::AccountId,
    param::EncryptionContext,
    policy::{Condition, ConditionKey, Cost, Decimal, Effect, PrincipalPattern, Test, Values},
    time::Timestamp,
};

use super::sieve::Sieve;

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

/// A question to policies, and how much of the answer is paid for.
pub struct Request<'a> {
    /// From [`super::action_number`].
    pub(super) action: u16,
    pub(super) resource: &'a str,
    pub(super) facts: &'a Facts<'a>,
    /// Steps that are left.
    left: Cell<u64>,
    /// Of the resource, made when it is first needed.
    sieve: OnceCell<Sieve>,
}

impl<'a> Request<'a> {
    /// A question with the whole budget of a decision. `resource` is the full name of what is acted on, or `*` where
    /// there is nothing.
    pub const fn new(action: u16, resource: &'a str, facts: &'a Facts<'a>) -> Self {
        Self::with_budget(action, resource, facts, limits::DECISION_STEPS_MAX)
    }

    /// As [`Self::new`], with so many steps.
    pub const fn with_budget(action: u16, resource: &'a str, facts: &'a Facts<'a>, steps: u64) -> Self {
        Self { action, resource, facts, left: Cell::new(steps), sieve: OnceCell::new() }
    }

    /// The same question with the whole budget again.
    #[must_use]
    pub const fn again(&self) -> Self {
        Self::new(self.action, self.resource, self.facts)
    }

    /// The full name of what is acted on.
    pub const fn resource(&self) -> &'a str {
        self.resource
    }

    /// How many steps are left.
    pub const fn left(&self) -> u64 {
        self.left.get()
    }

    /// Takes steps from the budget. `false`: it does not hold so many, and nothing that is found out counts any more.
    pub(super) fn pays(&self, steps: u64) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    pub(super) fn sieve(&self) -> &Sieve {
        self.sieve.get_or_init(|| Sieve::of(self.resource))
    }
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
    /// Nobody knows: the budget is used up.
    TooCostly,
}

/// A condition with what it costs.
#[derive(Debug)]
pub(super) struct Priced {
    pub condition: Condition,
    /// Of looking up the value.
    of_value: u64,
    /// Of comparing it.
    cost: Cost,
}

impl Priced {
    pub fn new(condition: &Condition) -> Self {
        Self { of_value: condition.cost_of_value(), cost: condition.cost(), condition: condition.clone() }
    }
}

/// Where the request has no value, nothing is allowed: a positive operator is not met, and a negated one only in a
/// `Deny`.
pub(super) fn met(priced: &Priced, request: &Request<'_>, effect: Effect) -> Met {
    let negated = priced.condition.operator.negated;
    let found = if request.pays(priced.of_value) { any_equal(priced, request) } else { Err(Spent) };
    match found {
        Err(Spent) => Met::TooCostly,
        Ok(Some(any)) if any != negated => Met::Yes,
        Ok(Some(_)) => Met::No,
        Ok(None) if negated && effect == Effect::Deny => Met::Yes,
        Ok(None) => Met::NoValue,
    }
}

/// The budget is used up.
struct Spent;

/// Whether a value of the request compares with a value of the condition, as its operator without the negation has it.
/// `None`: the request has no value.
fn any_equal(priced: &Priced, request: &Request<'_>) -> Result<Option<bool>, Spent> {
    let Priced { condition, cost, .. } = priced;
    let (key, test, facts) = (&condition.key, condition.operator.test, request.facts);
    if key.is_absent() {
        return Ok(None);
    }
    let pays = |bytes: usize| if request.pays(cost.steps(bytes)) { Ok(()) } else { Err(Spent) };
    match &condition.values {
        Values::Texts(values) if test == Test::EqualsIgnoreCase => any_text(key, facts, |found| {
            pays(found.len())?;
            Ok(Some(values.iter().any(|value| is_same_ignoring_case(found, value))))
        }),
        Values::Texts(values) => any_text(key, facts, |found| {
            pays(found.len())?;
            Ok(Some(values.iter().any(|value| **value == *found)))
        }),
        Values::Patterns(values) => any_text(key, facts, |found| {
            pays(found.len())?;
            Ok(Some(values.iter().any(|value| value.matches(found))))
        }),
        Values::Numbers(values) => any_text(key, facts, |found| {
            pays(found.len())?;
            let Some(found) = Decimal::new(found) else { return Ok(None) };
            let mut wanted = values.iter().filter_map(|value| Decimal::new(value));
            Ok(Some(wanted.any(|value| is_so(test, found.cmp(&value)))))
        }),
        Values::Dates(values) => {
            pays(0)?;
            Ok(Some(values.iter().any(|value| is_so(test, facts.now.cmp(value)))))
        }
        Values::Booleans(values) => {
            pays(0)?;
            let found =
                if *key == ConditionKey::SecureTransport { Some(facts.secure_transport) } else { facts.mfa_present };
            Ok(found.map(|found| values.contains(&found)))
        }
        Values::Networks(values) => {
            pays(0)?;
            let found = facts.source_ip.map(|found| found.to_canonical());
            Ok(found.map(|found| values.iter().any(|network| network.contains(&found))))
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
fn any_text(
    key: &ConditionKey,
    facts: &Facts<'_>,
    compare: impl Fn(&str) -> Result<Option<bool>, Spent>,
) -> Result<Option<bool>, Spent> {
    let pair = |pairs: Option<&Tags>, name: &str| {
        pairs.and_then(|pairs| pairs.get(name)).map_or(Ok(None), |found| compare(found))
    };
    let context = facts.encryption_context.map(EncryptionContext::pairs);
    let further =
        |name: &str| any(facts.more.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value), &compare);
    match key {
        ConditionKey::PrincipalArn => compare(facts.principal_arn),
        ConditionKey::ResourceTag(name) | ConditionKey::KmsTag(name) => pair(facts.resource_tags, name),
        ConditionKey::RequestTag(name) => pair(facts.request_tags, name),
        ConditionKey::EncryptionContext(name) => pair(context, name),
        ConditionKey::EncryptionContextKeys => {
            any(context.into_iter().flat_map(|pairs| pairs.keys()).map(String::as_str), &compare)
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
        | ConditionKey::Absent(_) => Ok(None),
    }
}

fn any<'t>(
    texts: impl Iterator<Item = &'t str>,
    compare: impl Fn(&str) -> Result<Option<bool>, Spent>,
) -> Result<Option<bool>, Spent> {
    let mut found = None;
    for text in texts {
        match compare(text)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => found = Some(false),
            None => {}
        }
    }
    Ok(found)
}
