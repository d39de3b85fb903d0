use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod brought;

const IDENTITY: &str =
    r#"{"Action":["kms:Encrypt","ram:List*"],"Resource":["acs:kms:*:*:key/*","acs:ram:*:*:user/?"]}"#;
const KEY: &str = r#"{"Principal":{"RAM":["acs:ram::1234567890123456:user/bob"]},"Action":["kms:Encrypt","kms:List*"],"Resource":["*"]}"#;
const TRUST: &str = r#"{"Principal":{"RAM":"acs:ram::1234567890123456:root","Service":"ecs.aliyuncs.com","Federated":"acs:ram::1234567890123456:oidc-provider/ci"},"Action":"sts:AssumeRole"}"#;

/// A statement with every element that the form has.
fn statement(form: Form) -> Value {
    let mut statement: Value = serde_json::from_str(match form {
        Form::Identity | Form::Session => IDENTITY,
        Form::Key => KEY,
        Form::Trust => TRUST,
    })
    .unwrap();
    statement["Sid"] = json!("a b/_+=.@-1");
    statement["Effect"] = json!("Allow");
    statement["Condition"] = json!({
        "StringLike": { "kms:EncryptionContext/tenant": ["a*", "b?"], "acs:principalarn": "*" },
        "NumericLessThan": { "acs:RequestTag/n": "-1.5" },
        "DateLessThan": { "acs:CurrentTime": "2030-01-31T16:00:00+08:00" },
        "Bool": { "ACS:securetransport": "true" },
        "NotIpAddress": { "acs:SourceIp": ["192.0.2.0/24", "2001:db8::1", "::ffff:10.1.2.3/104"] },
    });
    statement
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": "1", "Statement": statements }).to_string()
}

/// What is wrong with a document of a right statement and this one.
fn wrong(form: Form, second: &Value) -> Option<(u16, &'static str)> {
    parse(&document(&[statement(form), second.clone()]), form).err().map(|wrong| (wrong.statement, wrong.element))
}

fn with(form: Form, name: &str, value: Value) -> Value {
    let mut changed = statement(form);
    changed[name] = value;
    changed
}

fn without(form: Form, name: &str) -> Value {
    let mut changed = statement(form);
    changed.as_object_mut().unwrap().remove(name);
    changed
}

#[test]
fn what_is_read() {
    for form in Form::ALL {
        let policy = parse(&document(&[statement(form)]), form).unwrap();
        let [read] = &policy.statements[..] else { panic!("{policy:?}") };
        assert_eq!((policy.form, read.effect, read.sid.as_deref()), (form, Effect::Allow, Some("a b/_+=.@-1")));
        let conditions: Vec<String> =
            read.conditions.iter().map(|met| format!("{} {}: {:?}", met.operator.name, met.key, met.values)).collect();
        assert_eq!(conditions.len(), 6);
        for expected in [
            "NumericLessThan acs:RequestTag/n: Numbers([\"-1.5\"])",
            "DateLessThan acs:CurrentTime: Dates([Timestamp(1896076800)])",
            "Bool acs:SecureTransport: Booleans([true])",
            "NotIpAddress acs:SourceIp: Networks([192.0.2.0/24, 2001:db8::1/128, 10.1.2.3/8])",
        ] {
            assert!(conditions.iter().any(|found| found == expected), "{expected} in {conditions:?}");
        }
        assert_eq!(read.principals.len(), [0, 0, 1, 3][form as usize]);
        assert_eq!(read.resources.len(), [2, 2, 1, 0][form as usize]);
    }
    let account = crate::names::AccountId::new("1234567890123456").unwrap();
    let default = KeyPolicy::default_of(&account).policy().unwrap();
    assert_eq!(default.statements[0].principals, [PrincipalPattern::Account(account)]);
}

#[test]
fn a_key_policy_is_kept_as_its_text() {
    let text = document(&[statement(Form::Key)]).replace(',', " ,\n");
    assert_eq!(KeyPolicy::from_json(&text).unwrap().as_str(), text);
    let kept = serde_json::to_value(KeyPolicy::read(&text).unwrap()).unwrap();
    assert_eq!(kept, json!(text));
    assert_eq!(KeyPolicy::from_json(&document(&[statement(Form::Trust)])), None);
}

#[test]
fn the_document() {
    for form in Form::ALL {
        let one = statement(form);
        for (document, element) in [
            (json!([one]), "Policy"),
            (json!("x"), "Policy"),
            (json!({ "Statement": [one] }), "Version"),
            (json!({ "Version": 1, "Statement": [one] }), "Version"),
            (json!({ "Version": "2012-10-17", "Statement": [one] }), "Version"),
            (json!({ "Version": "1" }), "Statement"),
            (json!({ "Version": "1", "Statement": one }), "Statement"),
            (json!({ "Version": "1", "Statement": [] }), "Statement"),
            (json!({ "Version": "1", "Statement": [one], "Id": "x" }), "member"),
            (json!({ "version": "1", "Statement": [one] }), "member"),
        ] {
            let wrong = parse(&document.to_string(), form).unwrap_err();
            assert_eq!((wrong.statement, wrong.element), (0, element), "{document}");
        }
        let text = document(&[one]);
        for bad in [
            String::new(),
            text[..text.len() - 1].to_owned(),
            format!("{text}x"),
            text.replace('{', "{,"),
            format!("{text}{text}"),
        ] {
            assert_eq!(parse(&bad, form).unwrap_err().to_string(), "Policy: it is not a JSON object", "{bad}");
        }
        let padded = |bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
        assert!(parse(&padded(form.bytes_max()), form).is_ok());
        assert_eq!(parse(&padded(form.bytes_max() + 1), form).unwrap_err().to_string(), "Policy: it is too long");
        let twice = text.replacen(r#""Version":"1""#, r#""Version":"1","Version":"1""#, 1);
        assert_eq!(parse(&twice, form).unwrap_err().to_string(), "Version: it is given twice");
        let deep = format!(r#"{{"Version":"1","Statement":{}{}}}"#, "[".repeat(100), "]".repeat(100));
        assert_eq!(parse(&deep, form).unwrap_err().to_string(), "Statement 1: Statement: it is not an object");
        assert!(parse(&"[".repeat(2000), form).is_err());
    }
    let small = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    assert!(parse(&document(&vec![small.clone(); 100]), Form::Identity).is_ok());
    assert_eq!(
        parse(&document(&vec![small; 101]), Form::Identity).unwrap_err().to_string(),
        "Statement: there are more than 100"
    );
}

#[test]
fn what_statements_must_and_may_hold() {
    for form in Form::ALL {
        for name in ["Sid", "Condition"] {
            assert_eq!(wrong(form, &without(form, name)), None);
        }
        assert_eq!(wrong(form, &with(form, "Condition", json!({}))), None);
        let required: &[&str] = match form {
            Form::Identity | Form::Session => &["Effect", "Action", "Resource"],
            Form::Key => &["Effect", "Action", "Resource", "Principal"],
            Form::Trust => &["Effect", "Action", "Principal"],
        };
        for name in required {
            assert_eq!(wrong(form, &without(form, name)), Some((2, *name)), "{form:?}");
        }
        for name in ["NotResource", "NotPrincipal", "action", "Conditions", ""] {
            assert_eq!(wrong(form, &with(form, name, json!("*"))), Some((2, "member")), "{form:?} {name}");
        }
        let elements = ["Sid", "Effect", "Action", "NotAction", "Resource", "Principal", "Condition"];
        for (name, value) in elements.into_iter().flat_map(|name| {
            [json!(1), json!(true), json!(null), json!([]), json!([1]), json!([[]]), json!("")]
                .map(|value| (name, value))
        }) {
            let expected = if (name, &value) == ("Sid", &json!("")) { None } else { Some((2, name)) };
            assert_eq!(wrong(form, &with(form, name, value.clone())), expected, "{form:?} {name} {value}");
        }
        assert_eq!(wrong(form, &json!("x")), Some((2, "Statement")));
        for name in elements.into_iter().filter(|name| statement(form).get(name).is_some()) {
            let second = statement(form).to_string();
            let member = format!("{}:{}", json!(name), statement(form)[name]);
            let twice = second.replacen('{', &format!("{{{member},"), 1);
            let text = format!(r#"{{"Version":"1","Statement":[{second},{twice}]}}"#);
            assert_eq!(
                parse(&text, form).unwrap_err(),
                Malformed { statement: 2, element: name, reason: "it is given twice" }
            );
        }
        for bad in ["allow", "ALLOW", "Permit"] {
            assert_eq!(wrong(form, &with(form, "Effect", json!(bad))), Some((2, "Effect")));
        }
        for bad in ["s".repeat(129), "é".to_owned(), "a:b".to_owned(), "a\n".to_owned()] {
            assert_eq!(wrong(form, &with(form, "Sid", json!(bad))), Some((2, "Sid")));
        }
        assert_eq!(wrong(form, &with(form, "Sid", json!("s".repeat(128)))), None);
    }
}

#[test]
fn actions() {
    let check = |form: Form, good: &[&str], bad: &[&str]| {
        for action in good {
            assert_eq!(wrong(form, &with(form, "Action", json!([action]))), None, "{form:?} {action}");
            assert_eq!(wrong(form, &with(form, "Action", json!(action))), None, "{form:?} {action}");
        }
        for action in bad {
            let found = wrong(form, &with(form, "Action", json!(["kms:Decrypt", action])));
            assert_eq!(found, Some((2, "Action")), "{form:?} {action}");
        }
    };
    for form in [Form::Identity, Form::Session] {
        let good = ["*", "*:*", "kms:*", "KMS:encrypt", "kms:Get?ecret*", "oss:GetObject", "k*:Encrypt"];
        check(form, &good, &["", "kms", "kms:", ":Encrypt", "kms:a:b", "kms:En crypt", "**", "kms/Encrypt", "kms:é"]);
        let mut negated = without(form, "Action");
        negated["NotAction"] = json!(["kms:Encrypt", "*"]);
        assert_eq!(wrong(form, &negated), None);
        negated["NotAction"] = json!(["kms"]);
        assert_eq!(wrong(form, &negated), Some((2, "NotAction")));
        negated["Action"] = json!(["kms:Encrypt"]);
        assert_eq!(wrong(form, &negated), Some((2, "NotAction")));
    }
    check(Form::Key, &["kms:*", "KMS:Encrypt", "kms:En?rypt"], &["*", "*:*", "k*:Encrypt", "oss:Get", "kms:"]);
    check(Form::Trust, &["sts:AssumeRole", "STS:assumerolewithoidc"], &["*", "sts:*", "sts:AssumeRoleWithSAML"]);
}

#[test]
fn resources() {
    for form in [Form::Identity, Form::Session] {
        for good in ["*", "acs:kms:*:*:*", "acs:*:*:*:*", "*:*:*:*:*", "acs:oss:::bucket/a:b", "acs:k?s:::key/中"] {
            assert_eq!(wrong(form, &with(form, "Resource", json!([good]))), None, "{good}");
        }
        for bad in [
            "",
            "**",
            "x",
            "acs:kms:*",
            "acs:kms:*:*",
            "acs:kms:*:*:",
            "acs::*:*:x",
            "arn:kms:*:*:x",
            "acs:kms:*:*:a\tb",
            "acs:kms:*:*:${x}",
        ] {
            assert_eq!(wrong(form, &with(form, "Resource", json!(["*", bad]))), Some((2, "Resource")), "{bad}");
        }
    }
    for bad in ["x", "acs:kms:*:*:key/*", "**"] {
        assert_eq!(wrong(Form::Key, &with(Form::Key, "Resource", json!([bad]))), Some((2, "Resource")), "{bad}");
    }
}

#[test]
fn principals() {
    const ACCOUNT: &str = "acs:ram::1234567890123456";
    let place = Some((2, "Principal"));
    for form in [Form::Key, Form::Trust] {
        for (good, is_good) in [
            ("root", true),
            ("*", true),
            ("user/a.b-c_d", true),
            ("role/r", true),
            ("user/", false),
            ("user/*", false),
            ("user/a b", false),
            ("group/g", false),
            ("assumed-role/r/s", false),
            ("oidc-provider/ci", false),
            ("", false),
        ] {
            let found = wrong(form, &with(form, "Principal", json!({ "RAM": [format!("{ACCOUNT}:{good}")] })));
            assert_eq!(found.is_none(), is_good, "{good}");
        }
        for bad in [
            json!("*"),
            json!({ "RAM": "*" }),
            json!({ "RAM": [] }),
            json!({ "RAM": "acs:ram::1:root" }),
            json!({}),
            json!({ "CanonicalUser": "x" }),
        ] {
            assert_eq!(wrong(form, &with(form, "Principal", bad.clone())), place, "{bad}");
        }
        let text = document(&[statement(form)])
            .replacen(r#"{"RAM":"#, &format!(r#"{{"RAM":"{ACCOUNT}:root","RAM":"#), 1)
            .replacen(r#","RAM":"acs"#, &format!(r#","RAM":"{ACCOUNT}:root","RAM":"acs"#), 1);
        assert_eq!(parse(&text, form).unwrap_err().to_string(), "Statement 1: Principal: it is given twice");
    }
    for (kind, value) in
        [("Federated", format!("{ACCOUNT}:oidc-provider/ci")), ("Service", "ecs.aliyuncs.com".to_owned())]
    {
        assert_eq!(wrong(Form::Trust, &with(Form::Trust, "Principal", json!({ kind: [value] }))), None);
        assert_eq!(wrong(Form::Key, &with(Form::Key, "Principal", json!({ kind: [value] }))), place);
        for bad in ["", "x", "*", &format!("{ACCOUNT}:saml-provider/x"), &format!("{ACCOUNT}:oidc-provider/")] {
            assert_eq!(wrong(Form::Trust, &with(Form::Trust, "Principal", json!({ kind: bad }))), place, "{bad}");
        }
    }
}

/// A value that the operators of a class take.
fn value_of(class: Class) -> &'static str {
    match class {
        Class::String | Class::Numeric => "1",
        Class::Date => "2030-01-31T08:00:00Z",
        Class::Boolean => "false",
        Class::Ip => "192.0.2.1",
    }
}

#[test]
fn every_operator_with_every_key() {
    let keys = [
        ("acs:CurrentTime", "Date"),
        ("acs:SecureTransport", "Bool"),
        ("acs:MFAPresent", "Bool"),
        ("acs:SourceIp", "Ip"),
        ("acs:PrincipalARN", "String"),
        ("kms:EncryptionContextKeys", "String"),
        ("ram:ServiceName", "String"),
        ("sts:ExternalId", "String"),
        ("oidc:iss", "String"),
        ("oidc:aud", "String"),
        ("oidc:sub", "String"),
        ("acs:ResourceTag/k", "String Numeric"),
        ("acs:RequestTag/k", "String Numeric"),
        ("kms:tag/k", "String Numeric"),
        ("kms:EncryptionContext/k/l m", "String Numeric"),
    ];
    assert_eq!(Operator::ALL.len(), 21);
    for operator in Operator::ALL {
        for (key, classes) in keys {
            assert_eq!(ConditionKey::named(key).unwrap().to_string(), key);
            let fits = classes.split(' ').any(|class| operator.name.trim_start_matches("Not").starts_with(class));
            let condition = json!({ operator.name: { key: value_of(operator.class) } });
            let found = wrong(Form::Identity, &with(Form::Identity, "Condition", condition));
            assert_eq!(found.is_none(), fits, "{} {key}", operator.name);
        }
    }
}

#[test]
fn conditions() {
    let reason = |condition: Value| {
        let text = document(&[with(Form::Session, "Condition", condition)]);
        parse(&text, Form::Session).err().map(|wrong| {
            assert_eq!((wrong.statement, wrong.element), (1, "Condition"));
            wrong.reason
        })
    };
    for name in [
        "ForAnyValue:StringEquals",
        "ForAllValues:StringLike",
        "Null",
        "BinaryEquals",
        "StringEqualsIfExists",
        "stringequals",
        "ArnLike",
        "",
    ] {
        assert_eq!(reason(json!({ name: { "oidc:sub": "x" } })), Some("the operator is not known"), "{name}");
    }
    for name in [
        "acs:SourceVpc/a",
        "acs:NoSuch",
        "kms:Foo",
        "ram:Foo/bar",
        "saml:recipient",
        "oss:",
        "oss:Prefix/",
        ":Prefix",
        "o s:Prefix",
        "oss:Pre fix",
        "kms:tag",
        "kms:tag/",
        "acs:ResourceTag",
        "kms:EncryptionContext",
        "kms:EncryptionContextKeys/a",
        "oidc:amr",
        "SourceIp",
        "",
        "/",
        " oidc:sub",
    ] {
        assert_eq!(reason(json!({ "StringEquals": { name: "x" } })), Some("the key is not known"), "{name}");
    }
    for bad in [
        json!({ "Bool": "x" }),
        json!({ "Bool": ["x"] }),
        json!({ "Bool": {} }),
        json!({ "Bool": { "acs:SecureTransport": true } }),
    ] {
        assert!(reason(bad.clone()).is_some(), "{bad}");
    }
    for bad in [json!([]), json!(1), json!({}), json!(["x", 1]), json!([["x"]]), json!(null)] {
        assert!(reason(json!({ "StringEquals": { "oidc:sub": bad } })).is_some());
    }
    assert_eq!(reason(json!({ "StringEquals": { "oidc:sub": "", "OIDC:SUB": "x" } })), Some("a key is given twice"));
    assert_eq!(reason(json!({ "StringEquals": { "kms:tag/a": "x", "KMS:Tag/a": "x" } })), Some("a key is given twice"));
    assert_eq!(
        reason(json!({ "StringEquals": { "kms:tag/a": "x", "kms:tag/A": "x", "acs:ResourceTag/a": "x" } })),
        None
    );
    let text = document(&[with(Form::Key, "Condition", json!({ "Bool": { "acs:SecureTransport": "true" } }))]);
    let twice = text.replacen(r#""Bool":{"#, r#""Bool":{"acs:SecureTransport":"true"},"Bool":{"#, 1);
    assert_eq!(parse(&twice, Form::Key).unwrap_err().reason, "an operator is given twice");
    let twice = text.replacen(r#""Bool":{"#, r#""Bool":{"acs:SecureTransport":"true","#, 1);
    assert_eq!(parse(&twice, Form::Key).unwrap_err().reason, "a key is given twice");
}

#[test]
fn values() {
    let takes = |operator: &str, key: &str, value: &str| {
        wrong(Form::Identity, &with(Form::Identity, "Condition", json!({ operator: { key: [value] } }))).is_none()
    };
    for (operator, key, good, bad) in [
        ("Bool", "acs:MFAPresent", &["true", "false"][..], &["True", "", "1", "yes"][..]),
        (
            "NumericEquals",
            "kms:tag/n",
            &["0", "-1", "1.50", "99999999999999999999999"],
            &["", "1e3", "+1", ".5", "x", "0x1"],
        ),
        (
            "DateEquals",
            "acs:CurrentTime",
            &["2012-11-11T23:59:59Z", "2019-08-12T17:00:00+08:00", "2024-02-29T00:00:00-03:30"],
            &[
                "",
                "2012-11-11",
                "2012-11-11T23:59Z",
                "2012-11-11T23:59:59",
                "2012-11-11T23:59:59.5Z",
                "2012-11-11 23:59:59Z",
                "2012-11-11T23:59:60Z",
                "2023-02-29T00:00:00Z",
                "2012-13-01T00:00:00Z",
                "20121111T235959Z",
                "2012-11-11T23:59:59+08",
                "2012-11-11T23:59:59z",
                "2012-11-11T23:59:59Z[UTC]",
                "1352678399",
                "2012-11-11T24:00:00Z",
                "2012-11-11T23:59:59+99:00",
            ],
        ),
        (
            "NotIpAddress",
            "acs:SourceIp",
            &["10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1", "::ffff:1.2.3.4"],
            &[
                "",
                "10.0.0",
                "10.0.0.1/33",
                "::1/129",
                "10.0.0.0/255.0.0.0",
                "example",
                "10.0.0.1:80",
                "010.0.0.1",
                "10.0.0.0/-1",
                "fe80::1%eth0",
            ],
        ),
    ] {
        for value in good {
            assert!(takes(operator, key, value), "{operator} {value}");
        }
        for value in bad {
            assert!(!takes(operator, key, value), "{operator} {value}");
        }
    }
}

/// Every place of a value: the path to it, and the value.
fn places(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    found.push(path.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (step, child) in children {
        path.push(step);
        places(child, path, found);
        path.pop();
    }
}

fn at<'v>(value: &'v mut Value, path: &[String]) -> &'v mut Value {
    path.iter().fold(value, |value, step| match value {
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        value => &mut value[step.as_str()],
    })
}

/// In every object an unknown member, in place of every value one of a wrong type: each is refused, with its place.
#[test]
fn every_unknown_part_is_refused_where_it_stands() {
    for form in Form::ALL {
        let good = json!({ "Version": "1", "Statement": [statement(form), statement(form), statement(form)] });
        let limit = form.bytes_max();
        let good = if good.to_string().len() < limit {
            good
        } else {
            json!({ "Version": "1", "Statement": [statement(form)] })
        };
        assert!(parse(&good.to_string(), form).is_ok());
        let mut found = Vec::new();
        places(&good, &mut Vec::new(), &mut found);
        let mut refused = 0;
        for path in &found {
            let place = match path.as_slice() {
                [] => (0, "member"),
                [name] => (0, if name == "Version" { "Version" } else { "Statement" }),
                [_, number, rest @ ..] => {
                    (number.parse::<u16>().unwrap() + 1, rest.first().map_or("member", String::as_str))
                }
            };
            let mut changed = vec![json!(7), json!({ "x": 7 })];
            let mut whole = good.clone();
            if let Value::Object(members) = at(&mut whole, path) {
                members.insert("Unknown".to_owned(), json!("x"));
                changed.push(Value::Object(members.clone()));
            }
            for (which, value) in changed.into_iter().enumerate() {
                let mut whole = good.clone();
                *at(&mut whole, path) = value;
                let wrong = parse(&whole.to_string(), form).expect_err(&whole.to_string());
                let expected = match (path.len(), which, place) {
                    (0, 0, _) => (0, "Policy"),
                    (2, 0, (number, _)) => (number, "Statement"),
                    _ => place,
                };
                assert_eq!((wrong.statement, wrong.element), expected, "{whole}");
                refused += 1;
            }
        }
        assert!(refused > 40, "{refused}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,400}") {
        for form in Form::ALL {
            let _ = parse(&text, form);
        }
    }

    /// What is cut out of or put into a document changes what is read or is refused, but breaks nothing.
    #[test]
    fn changed_documents(form in prop::sample::select(&Form::ALL[..]), start: prop::sample::Index, length in 0_usize..40, put in ".{0,4}") {
        let text = document(&[statement(form)]);
        let start = start.index(text.len());
        let mut changed = text.clone();
        changed.replace_range(start..text.len().min(start + length), &put);
        if let Ok(policy) = parse(&changed, form) {
            prop_assert_eq!(policy.statements.len(), 1);
            prop_assert!(serde_json::from_str::<Value>(&changed).is_ok());
        }
    }
}
