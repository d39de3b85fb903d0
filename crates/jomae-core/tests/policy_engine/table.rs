//! What the documented samples mean, principals by table, and the words of explanations.

use std::collections::BTreeMap;

use jomae_api::{
    actions,
    names::AccountId,
    policy::{Form, KeyPolicy, parse},
};
use jomae_core::policy::{Compiled, ResourceVerdict, Verdict, action_number};
use serde_json::{Value, json};

use crate::naive::{Question, Who};

const ACCOUNT: &str = "1234567890123456";
const OTHER: &str = "6543210987654321";

/// A request to encrypt that has no value that it need not have.
pub fn question() -> Question {
    Question {
        action: "kms:Encrypt",
        resource: "acs:kms:cn-hangzhou:1234567890123456:key/k".to_owned(),
        now: 0,
        secure: true,
        ip: None,
        mfa: None,
        principal_arn: String::new(),
        context: None,
        resource_tags: None,
        request_tags: None,
        more: Vec::new(),
        who: user(ACCOUNT, "u"),
    }
}

fn account(id: &str) -> AccountId {
    AccountId::new(id).unwrap()
}

fn user(id: &str, name: &str) -> Who {
    Who::User(account(id), name.to_owned())
}

fn role(id: &str, name: &str) -> Who {
    Who::Role(account(id), name.to_owned())
}

fn compile(form: Form, statements: &Value) -> Compiled {
    let document = json!({ "Version": "1", "Statement": statements }).to_string();
    Compiled::of(&parse(&document, form).unwrap_or_else(|wrong| panic!("{wrong}: {document}")))
}

#[test]
fn every_permission_has_its_number() {
    for (name, number) in actions::permissions().iter().zip(0..) {
        assert_eq!(action_number(name), Some(number), "{name}");
    }
    for unknown in ["", "kms", "kms:Nothing", "KMS:ENCRYPT", "kms:*"] {
        assert_eq!(action_number(unknown), None);
    }
}

#[test]
fn a_deny_wins_and_nothing_is_a_denial() {
    let policy = compile(
        Form::Identity,
        &json!([
            { "Effect": "Allow", "Action": "kms:*", "Resource": "acs:kms:*:1234567890123456:key/*" },
            { "Effect": "Deny", "Action": ["kms:Delete*", "KMS:decrypt"], "Resource": "acs:kms:*:*:key/kept-*" },
            { "Effect": "Allow", "NotAction": "kms:*", "Resource": "*" },
        ]),
    );
    for (action, resource, expected) in [
        ("kms:Encrypt", "key/k", Verdict::Allow { statement: 1 }),
        ("kms:Encrypt", "key/kept-1", Verdict::Allow { statement: 1 }),
        ("kms:Decrypt", "key/k", Verdict::Allow { statement: 1 }),
        ("kms:Decrypt", "key/kept-1", Verdict::ExplicitDeny { statement: 2 }),
        ("kms:Decrypt", "key/Kept-1", Verdict::Allow { statement: 1 }),
        ("kms:Decrypt", "alias/a", Verdict::ImplicitDeny),
        ("sts:AssumeRole", "role/r", Verdict::Allow { statement: 3 }),
    ] {
        let resource = format!("acs:kms:cn-hangzhou:{ACCOUNT}:{resource}");
        let found = Question { action, resource: resource.clone(), ..question() }.engine(&policy);
        assert_eq!(found, expected, "{action} {resource}");
    }
    let empty = compile(Form::Session, &json!([{ "Effect": "Allow", "Action": "oss:*", "Resource": "*" }]));
    assert_eq!(question().engine(&empty), Verdict::ImplicitDeny);
}

#[test]
fn who_a_key_policy_names() {
    let one = |who: &str| {
        let principal = json!({ "RAM": [format!("acs:ram::{ACCOUNT}:{who}")] });
        compile(Form::Key, &json!([{ "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*" }]))
    };
    let itself = ResourceVerdict::Allow { statement: 1 };
    let by_account = ResourceVerdict::AllowAccount { statement: 1 };
    let no = ResourceVerdict::NotNamed;
    let federated = Who::Federated(format!("acs:ram::{ACCOUNT}:oidc-provider/ci"));
    for (named, root, user_u, user_v, role_u) in [
        ("root", itself, by_account, by_account, by_account),
        ("*", itself, by_account, by_account, by_account),
        ("user/u", no, itself, no, no),
        ("role/u", no, no, no, itself),
        ("user/U", no, no, no, no),
    ] {
        let policy = one(named);
        for (who, expected) in [
            (Who::Root(account(ACCOUNT)), root),
            (user(ACCOUNT, "u"), user_u),
            (user(ACCOUNT, "v"), user_v),
            (role(ACCOUNT, "u"), role_u),
            (Who::Root(account(OTHER)), no),
            (user(OTHER, "u"), no),
            (role(OTHER, "u"), no),
            (federated.clone(), no),
        ] {
            assert_eq!(Question { who: who.clone(), ..question() }.engine_for(&policy), expected, "{named} {who:?}");
        }
    }
    let default = Compiled::of(&KeyPolicy::default_of(&account(ACCOUNT)).policy().unwrap());
    assert_eq!(question().engine_for(&default), by_account);
    assert_eq!(Question { action: "sts:AssumeRole", ..question() }.engine_for(&default), no);
}

#[test]
fn a_principal_named_itself_is_more_than_its_account() {
    let root = format!("acs:ram::{ACCOUNT}:root");
    let u = format!("acs:ram::{ACCOUNT}:user/u");
    let statement = |effect: &str, principal: &Value, action: &str| json!({ "Effect": effect, "Principal": { "RAM": principal }, "Action": action, "Resource": "*" });
    let allow_both = compile(
        Form::Key,
        &json!([statement("Allow", &json!(root), "kms:*"), statement("Allow", &json!([root, u]), "kms:Encrypt")]),
    );
    assert_eq!(question().engine_for(&allow_both), ResourceVerdict::Allow { statement: 2 });
    let decrypt = Question { action: "kms:Decrypt", ..question() };
    assert_eq!(decrypt.engine_for(&allow_both), ResourceVerdict::AllowAccount { statement: 1 });
    let denied = compile(
        Form::Key,
        &json!([statement("Allow", &json!(u), "kms:*"), statement("Deny", &json!(root), "kms:Encrypt")]),
    );
    assert_eq!(question().engine_for(&denied), ResourceVerdict::ExplicitDeny { statement: 2 });
    assert_eq!(decrypt.engine_for(&denied), ResourceVerdict::Allow { statement: 1 });
}

#[test]
fn who_may_take_a_role() {
    let policy = compile(
        Form::Trust,
        &json!([
            {
                "Effect": "Allow",
                "Principal": { "RAM": format!("acs:ram::{ACCOUNT}:root"), "Service": ["ecs.aliyuncs.com"] },
                "Action": "sts:AssumeRole",
                "Condition": { "StringEquals": { "sts:ExternalId": "x" } },
            },
            {
                "Effect": "Allow",
                "Principal": { "Federated": format!("acs:ram::{ACCOUNT}:oidc-provider/ci") },
                "Action": "sts:AssumeRole",
                "Condition": { "StringLike": { "oidc:sub": "repo:a/*" } },
            },
        ]),
    );
    let asks = |who: &Who, more: &[(&'static str, &str)]| {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Question { action: "sts:AssumeRole", who: who.clone(), more, ..question() }.engine_for(&policy)
    };
    let u = user(ACCOUNT, "u");
    assert_eq!(asks(&u, &[("sts:ExternalId", "x")]), ResourceVerdict::AllowAccount { statement: 1 });
    assert_eq!(asks(&u, &[("sts:ExternalId", "X")]), ResourceVerdict::NotNamed);
    assert_eq!(asks(&u, &[]), ResourceVerdict::NotNamed);
    let ci = Who::Federated(format!("acs:ram::{ACCOUNT}:oidc-provider/ci"));
    assert_eq!(asks(&ci, &[("oidc:sub", "repo:a/b")]), ResourceVerdict::Allow { statement: 2 });
    assert_eq!(asks(&ci, &[("oidc:sub", "repo:ab")]), ResourceVerdict::NotNamed);
    let other = Who::Federated(format!("acs:ram::{ACCOUNT}:oidc-provider/CI"));
    assert_eq!(asks(&other, &[("oidc:sub", "repo:a/b")]), ResourceVerdict::NotNamed);
    assert_eq!(
        asks(&Who::Federated("ecs.aliyuncs.com".to_owned()), &[("sts:ExternalId", "x")]),
        ResourceVerdict::NotNamed
    );
}

#[test]
fn explanations() {
    let policy = compile(
        Form::Identity,
        &json!([
            { "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*" },
            { "Effect": "Allow", "Action": "kms:*", "Resource": "acs:kms:*:*:key/other" },
            {
                "Effect": "Allow",
                "Action": "kms:Encrypt",
                "Resource": "*",
                "Condition": { "StringEquals": { "KMS:EncryptionContext/tenant": "4711" } },
            },
            { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "Bool": { "acs:MFAPresent": "true" } } },
            { "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*" },
            { "Effect": "Allow", "Action": "kms:En*", "Resource": "*" },
        ]),
    );
    let question = Question {
        context: Some(BTreeMap::from([("tenant".to_owned(), "the value of the caller".to_owned())])),
        ..question()
    };
    let words: Vec<String> = question.explain(&policy).iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "Statement 2 does not apply: the resource does not match",
            "Statement 3 does not apply: StringEquals kms:EncryptionContext/tenant is not met",
            "Statement 4 does not apply: Bool acs:MFAPresent is not met, the request has no such value",
            "Statement 5 denies",
            "Statement 6 allows",
        ]
    );
    assert!(!format!("{:?}", question.explain(&policy)).contains("the value of the caller"));
    let key = compile(
        Form::Key,
        &json!([{
            "Effect": "Allow", "Principal": { "RAM": format!("acs:ram::{ACCOUNT}:user/v") }, "Action": "kms:*", "Resource": "*",
        }]),
    );
    let words: Vec<String> = question.explain_for(&key).iter().map(ToString::to_string).collect();
    assert_eq!(words, ["Statement 1 does not apply: the principal is not named"]);
    assert_eq!(Question { action: "sts:AssumeRole", ..question }.explain_for(&key), []);
}
