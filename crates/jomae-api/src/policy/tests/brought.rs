//! Policies that are brought along from the public cloud: what they say of other services is taken, what would match
//! nothing of ours is refused.

use serde_json::{Value, json};

use super::*;

/// What is wrong with a single statement, in words.
fn told(form: Form, statement: &Value) -> Option<String> {
    parse(&document(std::slice::from_ref(statement)), form).err().map(|wrong| wrong.to_string())
}

#[test]
fn keys_that_no_request_has() {
    for (key, name) in [
        ("oss:Prefix", "oss:prefix"),
        ("ECS:tag/Env", "ecs:tag/Env"),
        ("rds:ResourceTag/a/B", "rds:resourcetag/a/B"),
        ("log:TLS-Version.x_y", "log:tls-version.x_y"),
        ("acs:SourceVpc", "acs:sourcevpc"),
        ("ACS:vpcsourceip", "acs:vpcsourceip"),
        ("acs:PrincipalRDId", "acs:principalrdid"),
        ("acs:PrincipalRDPath", "acs:principalrdpath"),
    ] {
        let known = ConditionKey::named(key).unwrap();
        assert!(known.is_absent() && known.to_string() == name, "{key} {known}");
        assert_eq!(known.family(), name.split('/').next().unwrap());
        for operator in Operator::ALL {
            let mut statement = statement(Form::Identity);
            statement["Condition"] = json!({ operator.name: { key: value_of(operator.class) } });
            assert_eq!(told(Form::Identity, &statement), None, "an Allow: {} {key}", operator.name);
            // A Deny that waits for it would deny nothing; one that is met without it does deny.
            statement["Effect"] = json!("Deny");
            let refused = (!operator.negated).then(|| {
                "Statement 1: Condition: no request here has the key, so that the statement would never deny".to_owned()
            });
            assert_eq!(told(Form::Identity, &statement), refused, "{} {key}", operator.name);
            statement["Action"] = json!(["oss:*", "ecs:DescribeInstances"]);
            assert_eq!(told(Form::Identity, &statement), None, "about others: {} {key}", operator.name);
        }
        for form in [Form::Session, Form::Key, Form::Trust] {
            let condition = json!({ "StringEquals": { key: "x" }, "StringNotEquals": { key: "x" } });
            let allow = with(form, "Condition", condition);
            let mut deny = allow.clone();
            deny["Effect"] = json!("Deny");
            assert_eq!((told(form, &allow), told(form, &deny).is_some()), (None, true), "{form:?} {key}");
        }
    }
    // Two names of one key are the key given twice.
    let twice = with(Form::Session, "Condition", json!({ "StringEquals": { "oss:Prefix": "a", "OSS:prefix": "b" } }));
    assert_eq!(told(Form::Session, &twice).unwrap(), "Statement 1: Condition: a key is given twice");
}

/// Which statements a Deny with such a key may stand in: those about nothing that is decided here.
#[test]
fn denials_about_other_services() {
    let deny = |name: &str, actions: Value, resource: &str| {
        told(
            Form::Identity,
            &json!({ "Effect": "Deny", name: actions, "Resource": resource,
                "Condition": { "StringLike": { "oss:Prefix": "a*" } } }),
        )
        .is_none()
    };
    for (name, actions, resource, taken) in [
        ("Action", json!("oss:*"), "*", true),
        ("Action", json!("*"), "*", false),
        ("Action", json!("*"), "acs:oss:*:*:mybucket/*", true),
        ("Action", json!("*"), "acs:*:*:*:mybucket/*", false),
        ("Action", json!(["oss:*", "K*"]), "*", false),
        ("Action", json!(["oss:*", "k*:*"]), "*", false),
        ("Action", json!("kms:CreateSecret"), "*", true),
        ("NotAction", json!("ecs:*"), "*", false),
        ("NotAction", json!(["kms:*", "ram:*", "sts:*", "actiontrail:*"]), "*", true),
    ] {
        assert_eq!(deny(name, actions.clone(), resource), taken, "{name} {actions} {resource}");
    }
}

/// Refused in every form, with its place.
#[test]
fn what_matches_nothing() {
    const NO_ACTION: &str = "the service has no such action";
    for (form, name, value, reason) in [
        (Form::Identity, "Action", "kms:Decrpyt", NO_ACTION),
        (Form::Identity, "Action", "ram:CreateUsers*", NO_ACTION),
        (Form::Session, "Action", "STS:assumerol", NO_ACTION),
        (Form::Key, "Action", "kms:Decrpyt", NO_ACTION),
        (Form::Key, "Action", "KMS:X*", NO_ACTION),
        (Form::Identity, "Resource", "acs:KMS:*:*:key/*", "the name of a service is not in lower case"),
        (Form::Session, "Resource", "acs:kms:*:*:*:key/*", "a resource has too many parts"),
        (Form::Identity, "Resource", "acs:kms:*:*:keys/*", "the service has no such kind of resource"),
    ] {
        for effect in ["Allow", "Deny"] {
            let mut bad = without(form, "Condition");
            bad[name] = json!([value]);
            bad["Effect"] = json!(effect);
            assert_eq!(told(form, &bad), Some(format!("Statement 1: {name}: {reason}")), "{form:?} {value}");
        }
    }
    let mut negated = without(Form::Identity, "Action");
    negated["NotAction"] = json!(["oss:*", "kms:Decrpyt"]);
    assert_eq!(told(Form::Identity, &negated).unwrap(), format!("Statement 1: NotAction: {NO_ACTION}"));
    let mut deny = with(Form::Key, "Condition", json!({ "StringEquals": { "oss:Prefix": "x" } }));
    deny["Effect"] = json!("Deny");
    assert!(told(Form::Key, &deny).is_some());
}

#[test]
fn a_byte_order_mark_is_told() {
    let text = format!("\u{feff}{}", document(&[statement(Form::Identity)]));
    let told = parse(&text, Form::Identity).unwrap_err().to_string();
    assert_eq!(told, "Policy: it starts with a byte order mark, which is no JSON");
}

/// What policies may name though it is not offered: everything that the table of compatibility lists.
#[test]
fn actions_that_are_not_offered_are_taken() {
    let table = include_str!("../../../../../docs/compatibility.md");
    let kms = table.split("## Actions of RAM").next().unwrap();
    let named =
        kms.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | not offered")).map(|(name, _)| name);
    let mut count = 0;
    for name in named {
        let statement = with(Form::Identity, "Action", json!(format!("kms:{name}")));
        assert_eq!(told(Form::Identity, &statement), None, "{name}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}
