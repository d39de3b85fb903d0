//! Each operator, by table: when it is met, and what it makes of a value that the request does not have.

use std::collections::BTreeMap;

use jomae_api::policy::{Form, Operator, parse};
use jomae_core::policy::{Compiled, Verdict};
use serde_json::{Value, json};

use crate::{naive::Question, table::question};

/// Whether an `Allow` and a `Deny` with this condition apply.
fn applies(operator: &str, key: &str, values: &Value, question: &Question) -> (bool, bool) {
    let verdict = |effect: &str| {
        let statement = json!({
            "Effect": effect, "Action": "kms:Encrypt", "Resource": "*", "Condition": { operator: { key: values } },
        });
        let document = json!({ "Version": "1", "Statement": [statement] }).to_string();
        let policy = parse(&document, Form::Identity).unwrap_or_else(|wrong| panic!("{wrong}: {document}"));
        question.engine(&Compiled::of(&policy))
    };
    (verdict("Allow") == Verdict::Allow { statement: 1 }, verdict("Deny") == Verdict::ExplicitDeny { statement: 1 })
}

/// Without a value: a positive operator never applies, a negated one only in a `Deny`.
fn without_value(operator: &str, key: &str, values: &Value) {
    let negated = Operator::named(operator).unwrap().negated;
    assert_eq!(applies(operator, key, values, &question()), (false, negated), "{operator} {key} {values}");
}

#[test]
fn texts_and_numbers() {
    let tagged = |value: &str| Question {
        resource_tags: Some(BTreeMap::from([("k".to_owned(), value.to_owned())])),
        ..question()
    };
    let check = |operator: &str, values: Value, yes: &[&str], no: &[&str]| {
        for key in ["kms:tag/k", "acs:ResourceTag/k"] {
            for (found, is) in yes.iter().map(|found| (found, true)).chain(no.iter().map(|found| (found, false))) {
                let expected = (is, is);
                assert_eq!(applies(operator, key, &values, &tagged(found)), expected, "{operator} {values} {found}");
            }
            without_value(operator, key, &values);
            without_value(operator, "kms:tag/K", &values);
        }
    };
    check("StringEquals", json!(["a", "é"]), &["a", "é"], &["A", "É", "", "ab"]);
    check("StringNotEquals", json!(["a", "é"]), &["A", "É", "", "ab"], &["a", "é"]);
    check("StringEqualsIgnoreCase", json!(["Ab", "É"]), &["ab", "AB", "é"], &["a", "", "e"]);
    check("StringNotEqualsIgnoreCase", json!(["Ab", "É"]), &["a", "", "e"], &["ab", "AB", "é"]);
    check("StringLike", json!(["a*", "?b"]), &["a", "ax/y", "bb", "éb"], &["A", "b", "", "xbb"]);
    check("StringNotLike", json!(["a*", "?b"]), &["A", "b", "", "xbb"], &["a", "ax/y", "bb", "éb"]);
    check("StringEquals", json!("*"), &["*"], &["a"]);
    check("NumericEquals", json!(["1.50", "2"]), &["1.5", "2.0", "02"], &["1", "-2"]);
    check("NumericNotEquals", json!(["1.50", "2"]), &["1", "-2"], &["1.5", "2.0", "02"]);
    check("NumericLessThan", json!("2"), &["1.9", "-3", "0"], &["2", "2.0", "10"]);
    check("NumericLessThanEquals", json!("2"), &["1.9", "2.0"], &["2.01", "10"]);
    check("NumericGreaterThan", json!("-2"), &["-1.9", "0", "99999999999999999999999"], &["-2", "-2.0", "-10"]);
    check("NumericGreaterThanEquals", json!(["9007199254740993"]), &["9007199254740993"], &["9007199254740992"]);
    // What is no number is no value.
    for operator in Operator::ALL.iter().filter(|operator| operator.name.starts_with("Numeric")) {
        for found in ["x", "", "1e3", "0x1", " 1"] {
            let expected = (false, operator.negated);
            assert_eq!(applies(operator.name, "kms:tag/k", &json!("1"), &tagged(found)), expected);
        }
    }
}

#[test]
fn dates() {
    let at = |offset: i64| Question { now: 1_767_225_600 + offset, ..question() };
    for (operator, before, same, after) in [
        ("DateEquals", false, true, false),
        ("DateNotEquals", true, false, true),
        ("DateLessThan", true, false, false),
        ("DateLessThanEquals", true, true, false),
        ("DateGreaterThan", false, false, true),
        ("DateGreaterThanEquals", false, true, true),
    ] {
        for moment in ["2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2025-12-31T19:00:00-05:00"] {
            for (offset, is) in [(-1, before), (0, same), (1, after)] {
                let found = applies(operator, "acs:CurrentTime", &json!(moment), &at(offset));
                assert_eq!(found, (is, is), "{operator} {moment} {offset}");
            }
        }
    }
}

#[test]
fn booleans() {
    let secure = |secure| Question { secure, ..question() };
    let mfa = |mfa| Question { mfa, ..question() };
    for is in [false, true] {
        for wanted in [false, true] {
            let values = json!(wanted.to_string());
            let expected = (is == wanted, is == wanted);
            assert_eq!(applies("Bool", "acs:SecureTransport", &values, &secure(is)), expected);
            assert_eq!(applies("Bool", "acs:MFAPresent", &values, &mfa(Some(is))), expected);
        }
        assert_eq!(applies("Bool", "acs:MFAPresent", &json!(["true", "false"]), &mfa(Some(is))), (true, true));
    }
    without_value("Bool", "acs:MFAPresent", &json!("false"));
}

#[test]
fn addresses() {
    let from = |ip: &str| Question { ip: Some(ip.parse().unwrap()), ..question() };
    for (networks, inside, outside) in [
        (json!("10.0.0.1"), &["10.0.0.1", "::ffff:10.0.0.1"][..], &["10.0.0.2", "::10.0.0.1"][..]),
        (json!(["10.0.0.0/8", "192.0.2.7/24"]), &["10.255.0.1", "192.0.2.1"], &["11.0.0.1", "192.0.3.1", "::1"]),
        (json!("::ffff:10.0.0.0/104"), &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.0", "::1"]),
        (json!("2001:db8::/32"), &["2001:db8:ffff::1"], &["2001:db9::1", "10.0.0.1"]),
        (json!("2001:db8::1"), &["2001:db8::1"], &["2001:db8::2"]),
        (json!("0.0.0.0/0"), &["10.0.0.1", "::ffff:1.2.3.4"], &["::1"]),
        (json!("::/0"), &["::1", "2001:db8::1"], &["10.0.0.1", "::ffff:1.2.3.4"]),
    ] {
        for (ip, is) in inside.iter().map(|ip| (ip, true)).chain(outside.iter().map(|ip| (ip, false))) {
            assert_eq!(applies("IpAddress", "acs:SourceIp", &networks, &from(ip)), (is, is), "{networks} {ip}");
            assert_eq!(applies("NotIpAddress", "acs:SourceIp", &networks, &from(ip)), (!is, !is), "{networks} {ip}");
        }
        without_value("IpAddress", "acs:SourceIp", &networks);
        without_value("NotIpAddress", "acs:SourceIp", &networks);
    }
}

/// One value that fits is enough; a negated operator wants none that fits.
#[test]
fn several_values_of_the_request() {
    let context = |keys: &[&str]| Question {
        context: Some(keys.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect()),
        ..question()
    };
    let audiences = |values: &[&str]| Question {
        more: values.iter().map(|value| ("oidc:aud", (*value).to_owned())).collect(),
        ..question()
    };
    for (operator, found, is) in [
        ("StringEquals", &["a"][..], true),
        ("StringEquals", &["x", "a"], true),
        ("StringEquals", &["x"], false),
        ("StringNotEquals", &["x", "y"], true),
        ("StringNotEquals", &["x", "a"], false),
        ("StringLike", &["x", "A"], false),
        ("StringNotLike", &["x", "A"], true),
    ] {
        let wanted = json!(["a", "b"]);
        assert_eq!(applies(operator, "kms:EncryptionContextKeys", &wanted, &context(found)), (is, is), "{operator}");
        assert_eq!(applies(operator, "oidc:aud", &wanted, &audiences(found)), (is, is), "{operator}");
        for key in ["kms:EncryptionContextKeys", "oidc:aud", "kms:EncryptionContext/a", "acs:RequestTag/a"] {
            without_value(operator, key, &wanted);
        }
        // A context without pairs has no keys.
        let negated = Operator::named(operator).unwrap().negated;
        assert_eq!(applies(operator, "kms:EncryptionContextKeys", &wanted, &context(&[])), (false, negated));
    }
}

/// Each key looks at its own value, and the name of a pair is taken exactly.
#[test]
fn keys() {
    let pair = |name: &str| Some(BTreeMap::from([(name.to_owned(), "v".to_owned())]));
    let question = Question {
        principal_arn: "acs:ram::1234567890123456:user/u".to_owned(),
        context: pair("c"),
        resource_tags: pair("r"),
        request_tags: pair("q"),
        more: ["ram:ServiceName", "sts:ExternalId", "oidc:iss", "oidc:aud", "oidc:sub"]
            .map(|name| (name, format!("of {name}")))
            .into(),
        ..question()
    };
    for (key, value) in [
        ("acs:PrincipalARN", "acs:ram::1234567890123456:user/u"),
        ("ACS:principalarn", "acs:ram::1234567890123456:user/u"),
        ("kms:EncryptionContext/c", "v"),
        ("KMS:encryptioncontext/c", "v"),
        ("kms:EncryptionContextKeys", "c"),
        ("acs:ResourceTag/r", "v"),
        ("kms:Tag/r", "v"),
        ("acs:RequestTag/q", "v"),
        ("ram:ServiceName", "of ram:ServiceName"),
        ("sts:ExternalId", "of sts:ExternalId"),
        ("oidc:iss", "of oidc:iss"),
        ("oidc:aud", "of oidc:aud"),
        ("oidc:sub", "of oidc:sub"),
    ] {
        assert_eq!(applies("StringEquals", key, &json!(value), &question), (true, true), "{key}");
        assert_eq!(applies("StringNotEquals", key, &json!(value), &question), (false, false), "{key}");
    }
    for key in
        ["kms:EncryptionContext/C", "kms:EncryptionContext/r", "acs:ResourceTag/R", "kms:tag/q", "acs:RequestTag/Q"]
    {
        assert_eq!(applies("StringEquals", key, &json!("v"), &question), (false, false), "{key}");
    }
}
