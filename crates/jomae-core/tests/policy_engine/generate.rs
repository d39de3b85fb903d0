//! Policies and requests from small alphabets, so that they often have to do with each other.

use std::{collections::BTreeMap, net::IpAddr};

use jomae_api::{
    actions,
    names::AccountId,
    policy::{Class, Form, Operator, parse},
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::{Map, Value, json};

use crate::naive::{Question, Who};

const ACCOUNTS: [&str; 2] = ["1234567890123456", "6543210987654321"];

/// A document of the form that is not refused.
pub fn policy(form: Form) -> impl Strategy<Value = Value> {
    document(form).prop_filter("refused", move |document| parse(&document.to_string(), form).is_ok())
}

/// A document of the form. Some are refused: see [`naive::is_refused`](crate::naive::is_refused).
pub fn document(form: Form) -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(form), 1..6)
        .prop_map(|statements| json!({ "Version": "1", "Statement": statements }))
        .prop_filter("too long", move |document| document.to_string().len() <= form.bytes_max())
}

pub fn statement(form: Form) -> impl Strategy<Value = Value> {
    let effect = prop_oneof![2 => Just("Allow"), 1 => Just("Deny")];
    let parts =
        (effect, one_or_more(action(form)), one_or_more(resource(form)), principals(form), conditions(), any::<u8>());
    parts.prop_map(move |(effect, actions, resources, principals, conditions, dice)| {
        let mut statement = json!({ "Effect": effect });
        let negated = !form.has_principals() && dice % 4 == 0;
        statement[if negated { "NotAction" } else { "Action" }] = actions;
        if form != Form::Trust {
            statement["Resource"] = resources;
        }
        if form.has_principals() {
            statement["Principal"] = principals;
        }
        if dice % 3 > 0 {
            statement["Condition"] = conditions;
        }
        statement
    })
}

/// A text, or a list.
fn one_or_more(text: impl Strategy<Value = String>) -> impl Strategy<Value = Value> {
    (prop::collection::vec(text, 1..4), any::<bool>()).prop_map(|(texts, single)| match &texts[..] {
        [only] if single => json!(only),
        _ => json!(texts),
    })
}

fn action(form: Form) -> BoxedStrategy<String> {
    let known: &[&str] = match form {
        Form::Identity | Form::Session => &[
            "*",
            "*:*",
            "kms:*",
            "KMS:encrypt",
            "kms:Encrypt",
            "kms:*crypt",
            "kms:?ecrypt",
            "kms:GenerateDataKey*",
            "*:*Key*",
            "sts:AssumeRole",
            "sts:assume*",
            "oss:GetObject",
            "kms:ReEncrypt*",
            "k*:Decrypt",
            "kms:D?crypt",
            "kms:Decrpyt",
            "oss:*",
            "ecs:Describe*",
        ],
        Form::Key => &[
            "kms:*",
            "KMS:encrypt",
            "kms:Encrypt",
            "kms:*crypt",
            "kms:?ecrypt",
            "kms:Generate*",
            "kms:ReEncrypt*",
            "kms:Nothing",
        ],
        Form::Trust => &["sts:AssumeRole", "STS:assumeROLE", "sts:AssumeRoleWithOIDC"],
    };
    select(known).prop_map(str::to_owned).boxed()
}

fn resource(form: Form) -> BoxedStrategy<String> {
    match form {
        Form::Identity | Form::Session => prop_oneof![
            4 => Just("*".to_owned()),
            3 => Just("acs:oss:*:*:mybucket/*".to_owned()),
            16 => "acs:(kms|k\\*|\\?ms):(cn|\\*|\\?\\?|C\\*):(1234567890123456|1\\*|\\*):(key/|k\\*/)[abA中*?]{1,3}",
            3 => "acs:(k\\*|\\?ms):(cn|\\*|\\?\\?|C\\*):(1|\\*):[abA中*?]{1,3}",
            1 => "acs:(KMS|Kms):\\*:\\*:key/\\*",
        ]
        .boxed(),
        Form::Key | Form::Trust => Just("*".to_owned()).boxed(),
    }
}

fn principals(form: Form) -> BoxedStrategy<Value> {
    let ram = (select(&ACCOUNTS[..]), select(&["root", "*", "user/u", "user/v", "role/u", "role/v"][..]))
        .prop_map(|(account, who)| format!("acs:ram::{account}:{who}"));
    let ram = one_or_more(ram);
    if form != Form::Trust {
        return ram.prop_map(|ram| json!({ "RAM": ram })).boxed();
    }
    (ram, one_or_more(provider()), subsequence(vec!["RAM", "Federated", "Service"], 1..=3))
        .prop_map(|(ram, federated, kinds)| {
            let value = |kind: &str| match kind {
                "RAM" => ram.clone(),
                "Federated" => federated.clone(),
                _ => json!("ecs.aliyuncs.com"),
            };
            kinds.into_iter().map(|kind| (kind.to_owned(), value(kind))).collect::<Map<_, _>>().into()
        })
        .boxed()
}

fn provider() -> impl Strategy<Value = String> {
    (select(&ACCOUNTS[..]), select(&["ci", "k8s"][..]))
        .prop_map(|(account, name)| format!("acs:ram::{account}:oidc-provider/{name}"))
}

/// Keys and whether their values may be numbers too.
const TEXT_KEYS: [(&str, bool); 13] = [
    ("acs:PrincipalARN", false),
    ("acs:ResourceTag/a", true),
    ("acs:RESOURCETAG/A", true),
    ("kms:tag/a", true),
    ("acs:RequestTag/a", true),
    ("kms:EncryptionContext/a", true),
    ("KMS:encryptioncontext/b", true),
    ("kms:EncryptionContextKeys", false),
    ("ram:ServiceName", false),
    ("sts:ExternalId", false),
    ("oidc:iss", false),
    ("oidc:AUD", false),
    ("oidc:sub", false),
];
/// Keys that no request has.
const ABSENT_KEYS: [&str; 4] = ["oss:Prefix", "ecs:tag/a", "acs:SourceVpc", "RDS:resourceTag/A"];
const NUMBERS: [&str; 8] = ["0", "-0.0", "1", "1.0", "1.5", "-1.5", "10", "9007199254740993"];
const DATES: [&str; 4] =
    ["2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2026-01-01T00:00:01Z", "2025-12-31T23:59:59Z"];
const ADDRESSES: [&str; 7] =
    ["10.0.0.1", "10.0.0.200", "10.0.1.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:db9::1", "::1"];
const NETWORKS: [&str; 11] = [
    "10.0.0.1",
    "10.0.0.0/24",
    "10.0.0.7/23",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "::ffff:10.0.0.0/120",
    "::1",
    "2001:db8::1/128",
    "10.0.0.1/32",
    "2000::/3",
];

fn value(class: Class, like: bool) -> BoxedStrategy<String> {
    let one_of = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned).boxed();
    match class {
        Class::String if like => "[abA中é*?]{0,3}".boxed(),
        Class::String => word(),
        Class::Numeric => one_of(&NUMBERS),
        Class::Date => one_of(&DATES),
        Class::Boolean => one_of(&["true", "false"]),
        Class::Ip => one_of(&NETWORKS),
    }
}

fn word() -> BoxedStrategy<String> {
    prop_oneof![3 => "[abA]{1,2}", 1 => "[éÉ中]", 1 => Just(String::new())].boxed()
}

fn condition() -> impl Strategy<Value = (&'static str, &'static str, Value)> {
    select(Operator::ALL.iter().collect::<Vec<_>>()).prop_flat_map(|operator| {
        let mut keys: Vec<&'static str> = match operator.class {
            Class::String => TEXT_KEYS.iter().map(|(key, _)| *key).collect(),
            Class::Numeric => TEXT_KEYS.iter().filter(|(_, numeric)| *numeric).map(|(key, _)| *key).collect(),
            Class::Date => vec!["acs:CurrentTime"],
            Class::Boolean => vec!["acs:SecureTransport", "acs:MFAPresent"],
            Class::Ip => vec!["acs:SourceIp", "ACS:sourceip"],
        };
        keys.push(ABSENT_KEYS[keys.len() % ABSENT_KEYS.len()]);
        if operator.class == Class::String {
            keys.extend(ABSENT_KEYS.iter().filter(|key| !keys.contains(key)).copied().collect::<Vec<_>>());
        }
        let values = one_or_more(value(operator.class, operator.name.ends_with("Like")));
        (Just(operator.name), select(keys), values)
    })
}

fn conditions() -> impl Strategy<Value = Value> {
    prop::collection::vec(condition(), 1..3).prop_map(|conditions| {
        let mut operators = Map::new();
        let mut keys_seen = Vec::new();
        for (operator, key, values) in conditions {
            // One key twice under one operator is no policy, whatever its case.
            let seen = (operator, key.to_lowercase());
            if !keys_seen.contains(&seen) {
                keys_seen.push(seen);
                operators.entry(operator).or_insert_with(|| json!({}))[key] = values;
            }
        }
        operators.into()
    })
}

/// The permissions that requests ask for; some may not exist yet.
fn asked() -> Vec<&'static str> {
    let wanted = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:DescribeKey",
        "sts:AssumeRole",
        "sts:AssumeRoleWithOIDC",
    ];
    wanted.into_iter().filter(|action| actions::permissions().contains(action)).collect()
}

fn pairs() -> impl Strategy<Value = Option<BTreeMap<String, String>>> {
    let value =
        prop_oneof![2 => word(), 1 => select(&NUMBERS[..]).prop_map(str::to_owned), 1 => Just("1e3".to_owned())];
    prop_oneof![1 => Just(None), 4 => prop::collection::btree_map("[abA]", value, 0..3).prop_map(Some)]
}

pub fn question() -> impl Strategy<Value = Question> {
    let more = prop::collection::vec(
        (select(&["ram:ServiceName", "sts:ExternalId", "oidc:iss", "oidc:aud", "oidc:sub"][..]), word()),
        0..4,
    );
    let account = select(&ACCOUNTS[..]).prop_map(|account| AccountId::new(account).unwrap());
    let name = select(&["u", "v"][..]).prop_map(str::to_owned);
    let who = prop_oneof![
        1 => account.clone().prop_map(Who::Root),
        2 => (account.clone(), name.clone()).prop_map(|(account, name)| Who::User(account, name)),
        2 => (account, name).prop_map(|(account, name)| Who::Role(account, name)),
        2 => provider().prop_map(Who::Federated),
    ];
    let ip = prop::option::weighted(0.8, select(&ADDRESSES[..]).prop_map(|ip| ip.parse::<IpAddr>().unwrap()));
    let moment = (-1..=1_i64).prop_map(|offset| 1_767_225_600 + offset);
    let plain = (
        select(asked()),
        "acs:kms:cn:1234567890123456:key/[abA中]{1,3}",
        moment,
        any::<bool>(),
        ip,
        any::<Option<bool>>(),
    );
    (plain, word(), pairs(), pairs(), pairs(), more, who).prop_map(
        |((action, resource, now, secure, ip, mfa), principal_arn, context, resource_tags, request_tags, more, who)| {
            Question {
                action,
                resource,
                now,
                secure,
                ip,
                mfa,
                principal_arn,
                context,
                resource_tags,
                request_tags,
                more,
                who,
            }
        },
    )
}
