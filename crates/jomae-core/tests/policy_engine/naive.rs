//! A second evaluator, written from the rules as they are documented and from nothing else: it reads the JSON of the
//! document itself, has its own wildcards, numbers, dates and networks, and cares for neither speed nor memory.

use std::{collections::BTreeMap, net::IpAddr};

use jomae_api::{limits::DECISION_STEPS_MAX, names::AccountId, param::EncryptionContext, time::Timestamp};
use jomae_core::policy::{Compiled, Explained, Facts, Principal, Request, ResourceVerdict, Verdict, action_number};
use serde_json::Value;

/// A request, as both evaluators can be asked about it.
#[derive(Clone, Debug)]
pub struct Question {
    pub action: &'static str,
    pub resource: String,
    pub now: i64,
    pub secure: bool,
    pub ip: Option<IpAddr>,
    pub mfa: Option<bool>,
    pub principal_arn: String,
    pub context: Option<BTreeMap<String, String>>,
    pub resource_tags: Option<BTreeMap<String, String>>,
    pub request_tags: Option<BTreeMap<String, String>>,
    pub more: Vec<(&'static str, String)>,
    pub who: Who,
}

#[derive(Clone, Debug)]
pub enum Who {
    Root(AccountId),
    User(AccountId, String),
    Role(AccountId, String),
    Federated(String),
}

impl Question {
    fn to_engine<T>(&self, ask: impl FnOnce(&Request<'_>, &Principal<'_>) -> T) -> T {
        self.to_engine_within(DECISION_STEPS_MAX, ask)
    }

    fn to_engine_within<T>(&self, budget: u64, ask: impl FnOnce(&Request<'_>, &Principal<'_>) -> T) -> T {
        let context: Option<EncryptionContext> = self.context.clone().map(|pairs| pairs.into_iter().collect());
        let more: Vec<(&'static str, &str)> = self.more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let facts = Facts {
            now: Timestamp(self.now),
            secure_transport: self.secure,
            source_ip: self.ip,
            mfa_present: self.mfa,
            principal_arn: &self.principal_arn,
            encryption_context: context.as_ref(),
            resource_tags: self.resource_tags.as_ref(),
            request_tags: self.request_tags.as_ref(),
            more: &more,
        };
        let principal = match &self.who {
            Who::Root(account) => Principal::Root { account },
            Who::User(account, name) => Principal::User { account, name },
            Who::Role(account, name) => Principal::Role { account, name },
            Who::Federated(provider_arn) => Principal::Federated { provider_arn },
        };
        let action = action_number(self.action).unwrap();
        ask(&Request::with_budget(action, &self.resource, &facts, budget), &principal)
    }

    pub fn engine(&self, policy: &Compiled) -> Verdict {
        self.to_engine(|request, _| policy.evaluate(request))
    }

    pub fn engine_for(&self, policy: &Compiled) -> ResourceVerdict {
        self.to_engine(|request, principal| policy.evaluate_for(request, principal))
    }

    /// What the engine says within a budget, and how much of it that took.
    pub fn within(&self, budget: u64, policy: &Compiled) -> (Verdict, u64) {
        self.to_engine_within(budget, |request, _| (policy.evaluate(request), budget - request.left()))
    }

    /// As [`Self::within`], of a key or trust policy.
    pub fn within_for(&self, budget: u64, policy: &Compiled) -> (ResourceVerdict, u64) {
        self.to_engine_within(budget, |request, who| (policy.evaluate_for(request, who), budget - request.left()))
    }

    pub fn explain(&self, policy: &Compiled) -> Vec<Explained> {
        self.to_engine(|request, _| policy.explain(request))
    }

    pub fn explain_for(&self, policy: &Compiled) -> Vec<Explained> {
        self.to_engine(|request, principal| policy.explain_for(request, principal))
    }
}

/// What an identity or session policy says.
pub fn evaluate(document: &Value, question: &Question) -> Verdict {
    let first = |effect: &str| {
        let applies = |statement: &&(u16, &Value)| {
            statement.1["Effect"] == effect && speaks_of(statement.1, question) && conditions(statement.1, question)
        };
        statements(document).iter().find(applies).map(|(number, _)| *number)
    };
    if let Some(statement) = first("Deny") {
        Verdict::ExplicitDeny { statement }
    } else if let Some(statement) = first("Allow") {
        Verdict::Allow { statement }
    } else {
        Verdict::ImplicitDeny
    }
}

/// What a key or trust policy says.
pub fn evaluate_for(document: &Value, question: &Question) -> ResourceVerdict {
    let first = |effect: &str, names: fn(&Value, &Who) -> bool| {
        let applies = |statement: &&(u16, &Value)| {
            statement.1["Effect"] == effect
                && names(&statement.1["Principal"], &question.who)
                && speaks_of(statement.1, question)
                && conditions(statement.1, question)
        };
        statements(document).iter().find(applies).map(|(number, _)| *number)
    };
    if let Some(statement) =
        first("Deny", |principal, who| names_itself(principal, who) || names_account(principal, who))
    {
        ResourceVerdict::ExplicitDeny { statement }
    } else if let Some(statement) = first("Allow", names_itself) {
        ResourceVerdict::Allow { statement }
    } else if let Some(statement) = first("Allow", names_account) {
        ResourceVerdict::AllowAccount { statement }
    } else {
        ResourceVerdict::NotNamed
    }
}

/// Whether the document is refused when it is written: it names an action or a resource of ours that cannot exist, or has
/// a `Deny` about requests of ours that waits for a value that none of them has.
pub fn is_refused(document: &Value) -> bool {
    const OURS: [&str; 4] = ["kms", "ram", "sts", "actiontrail"];
    let asked = || jomae_api::actions::permissions().iter().map(|name| name.to_lowercase());
    let misspelt = |action: &str| {
        let (service, _) = action.split_once(':').unwrap_or(("*", "*"));
        OURS.contains(&service.to_lowercase().as_str()) && !asked().any(|name| wild(&action.to_lowercase(), &name))
    };
    let upper = |resource: &str| {
        let service = resource.split(':').nth(1).unwrap_or("*");
        OURS.contains(&service.to_lowercase().as_str()) && !OURS.contains(&service)
    };
    let has_value = |key: &str| {
        let known = ["acs:", "kms:", "ram:", "sts:", "oidc:"].iter().any(|own| key.to_lowercase().starts_with(own));
        known && key.to_lowercase() != "acs:sourcevpc"
    };
    statements(document).iter().any(|(_, statement)| {
        let (these, all_but) = (texts(&statement["Action"]), texts(&statement["NotAction"]));
        let resources = texts(&statement["Resource"]);
        let waits = statement["Condition"].as_object().is_some_and(|operators| {
            let positive = operators.iter().filter(|(operator, _)| !operator.contains("Not"));
            positive.flat_map(|(_, keys)| keys.as_object().unwrap().keys()).any(|key| !has_value(key))
        });
        let about_us = asked().any(|name| {
            let within = |list: &[&str]| list.iter().any(|pattern| wild(&pattern.to_lowercase(), &name));
            if all_but.is_empty() { within(&these) } else { !within(&all_but) }
        });
        let on_ours = resources.is_empty() || resources.iter().any(|resource| !resource.starts_with("acs:oss:"));
        these.iter().chain(&all_but).any(|action| misspelt(action))
            || resources.iter().any(|resource| upper(resource))
            || (statement["Effect"] == "Deny" && waits && about_us && on_ours)
    })
}

fn statements(document: &Value) -> Vec<(u16, &Value)> {
    (1..).zip(document["Statement"].as_array().unwrap()).collect()
}

/// One text or a list of texts.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        Value::Null => Vec::new(),
        other => panic!("{other}"),
    }
}

fn names_itself(principal: &Value, who: &Who) -> bool {
    let (kind, wanted) = match who {
        Who::Root(account) => ("RAM", vec![format!("acs:ram::{account}:root"), format!("acs:ram::{account}:*")]),
        Who::User(account, name) => ("RAM", vec![format!("acs:ram::{account}:user/{name}")]),
        Who::Role(account, name) => ("RAM", vec![format!("acs:ram::{account}:role/{name}")]),
        Who::Federated(provider) => ("Federated", vec![provider.clone()]),
    };
    texts(&principal[kind]).iter().any(|text| wanted.contains(&(*text).to_owned()))
}

fn names_account(principal: &Value, who: &Who) -> bool {
    match who {
        Who::User(account, _) | Who::Role(account, _) => names_itself(principal, &Who::Root(account.clone())),
        Who::Root(_) | Who::Federated(_) => false,
    }
}

fn speaks_of(statement: &Value, question: &Question) -> bool {
    let action_in =
        |list: &Value| texts(list).iter().any(|pattern| wild(&pattern.to_lowercase(), &question.action.to_lowercase()));
    let action = if statement["NotAction"].is_null() {
        action_in(&statement["Action"])
    } else {
        !action_in(&statement["NotAction"])
    };
    let resources = texts(&statement["Resource"]);
    action && (resources.is_empty() || resources.iter().any(|pattern| wild(pattern, &question.resource)))
}

/// `*` matches any run of characters, `?` one.
fn wild(pattern: &str, text: &str) -> bool {
    fn go(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => go(rest, text) || (!text.is_empty() && go(pattern, &text[1..])),
            Some((wanted, rest)) => {
                text.split_first().is_some_and(|(found, after)| (*wanted == '?' || wanted == found) && go(rest, after))
            }
        }
    }
    go(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// Operators are ANDed, keys are ANDed, values are ORed.
fn conditions(statement: &Value, question: &Question) -> bool {
    let Some(operators) = statement["Condition"].as_object() else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, values)| {
            // What the operator cannot compare is no value of the request.
            let found: Vec<String> = request_values(key, question)
                .into_iter()
                .filter(|found| !operator.starts_with("Numeric") || number(found).is_some())
                .collect();
            let (positive, negated) = match operator.as_str() {
                "StringNotEquals" => ("StringEquals", true),
                "StringNotEqualsIgnoreCase" => ("StringEqualsIgnoreCase", true),
                "StringNotLike" => ("StringLike", true),
                "NumericNotEquals" => ("NumericEquals", true),
                "DateNotEquals" => ("DateEquals", true),
                "NotIpAddress" => ("IpAddress", true),
                positive => (positive, false),
            };
            if found.is_empty() {
                return negated && statement["Effect"] == "Deny";
            }
            let any = found.iter().any(|found| texts(values).iter().any(|wanted| compare(positive, found, wanted)));
            any != negated
        })
    })
}

fn request_values(key: &str, question: &Question) -> Vec<String> {
    let tag = |tags: &Option<BTreeMap<String, String>>, name: &str| {
        tags.as_ref().and_then(|tags| tags.get(name)).cloned().into_iter().collect()
    };
    if let Some((family, name)) = key.split_once('/') {
        return match family.to_lowercase().as_str() {
            "acs:resourcetag" | "kms:tag" => tag(&question.resource_tags, name),
            "acs:requesttag" => tag(&question.request_tags, name),
            "kms:encryptioncontext" => tag(&question.context, name),
            // Of another service: no request here has it.
            _ => Vec::new(),
        };
    }
    match key.to_lowercase().as_str() {
        "acs:currenttime" => vec![question.now.to_string()],
        "acs:securetransport" => vec![question.secure.to_string()],
        "acs:sourceip" => question.ip.map(|ip| ip.to_string()).into_iter().collect(),
        "acs:mfapresent" => question.mfa.map(|mfa| mfa.to_string()).into_iter().collect(),
        "acs:principalarn" => vec![question.principal_arn.clone()],
        "kms:encryptioncontextkeys" => question.context.iter().flat_map(BTreeMap::keys).cloned().collect(),
        other => {
            let values = question.more.iter().filter(|(name, _)| name.to_lowercase() == other);
            values.map(|(_, value)| value.clone()).collect()
        }
    }
}

fn compare(operator: &str, found: &str, wanted: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    let numbers = || (number(found).unwrap(), number(wanted).unwrap());
    let dates = || (found.parse::<i64>().unwrap(), date(wanted));
    match operator {
        "StringEquals" | "Bool" => found == wanted,
        "StringEqualsIgnoreCase" => lower(found) == lower(wanted),
        "StringLike" => wild(wanted, found),
        "NumericEquals" => numbers().0 == numbers().1,
        "NumericLessThan" => numbers().0 < numbers().1,
        "NumericLessThanEquals" => numbers().0 <= numbers().1,
        "NumericGreaterThan" => numbers().0 > numbers().1,
        "NumericGreaterThanEquals" => numbers().0 >= numbers().1,
        "DateEquals" => dates().0 == dates().1,
        "DateLessThan" => dates().0 < dates().1,
        "DateLessThanEquals" => dates().0 <= dates().1,
        "DateGreaterThan" => dates().0 > dates().1,
        "DateGreaterThanEquals" => dates().0 >= dates().1,
        "IpAddress" => within(found, wanted),
        other => panic!("{other}"),
    }
}

/// In thousandths. The generator has no longer fractions.
fn number(text: &str) -> Option<i128> {
    let (sign, digits) = if let Some(digits) = text.strip_prefix('-') { (-1, digits) } else { (1, text) };
    let mut parts = digits.split('.');
    let (whole, fraction) = (parts.next()?, parts.next());
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if parts.next().is_some() || !plain(whole) || !fraction.is_none_or(plain) {
        return None;
    }
    let thousandths = format!("{:0<3}", fraction.unwrap_or(""));
    Some(sign * (whole.parse::<i128>().unwrap() * 1000 + thousandths.parse::<i128>().unwrap()))
}

/// `…Z` or `…+08:00`.
fn date(text: &str) -> i64 {
    let local = |text: &str| Timestamp::parse(&format!("{text}Z")).unwrap().0;
    match text.strip_suffix("+08:00") {
        Some(eight_hours_ahead) => local(eight_hours_ahead) - 8 * 3600,
        None => local(text.strip_suffix('Z').unwrap()),
    }
}

fn within(address: &str, network: &str) -> bool {
    let (start, prefix) = network.split_once('/').map_or((network, None), |(start, prefix)| (start, Some(prefix)));
    let (start, address): (IpAddr, IpAddr) = (start.parse().unwrap(), address.parse().unwrap());
    let mut prefix = prefix.map_or(if start.is_ipv4() { 32 } else { 128 }, |prefix| prefix.parse().unwrap());
    // An IPv4 address that is written as IPv6 is the IPv4 address.
    if start.is_ipv6() && start.to_canonical().is_ipv4() {
        prefix -= 96;
    }
    let bits = |ip: IpAddr| match ip.to_canonical() {
        IpAddr::V4(ip) => (4, u128::from(ip.to_bits()) << 96),
        IpAddr::V6(ip) => (6, ip.to_bits()),
    };
    let ((family, start), (other, address)) = (bits(start), bits(address));
    family == other && (start ^ address).checked_shr(128 - prefix).is_none_or(|differs| differs == 0)
}
