//! What the service says in its own words has a text in every language.

use jomae_api::policy::{Effect, Form, parse};
use jomae_console::{Frame, Lang, Texts, is_known, pages};
use jomae_core::policy::{Explained, StatementMatch};

use super::policies::finding;

#[test]
fn every_reason_of_a_decision_is_known() {
    let outcomes = [
        StatementMatch::Applies,
        StatementMatch::OtherPrincipal,
        StatementMatch::OtherResource,
        StatementMatch::TooCostly,
        StatementMatch::ConditionNotMet { operator: "StringEquals", key: "acs:SourceIp".to_owned(), absent: false },
        StatementMatch::ConditionNotMet { operator: "StringEquals", key: "acs:SourceIp".to_owned(), absent: true },
    ];
    for outcome in outcomes {
        for effect in [Effect::Allow, Effect::Deny] {
            let told = format!("a-policy: {}", Explained { statement: 7, effect, outcome: outcome.clone() });
            assert!(is_known(&told), "{told}");
        }
    }
}

/// Documents that are wrong in every way that has words of its own.
fn wrong() -> Vec<(String, &'static str)> {
    let statement = |text: &str| format!("{{\"Version\":\"1\",\"Statement\":[{text}]}}");
    let with = |more: &str| statement(&format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*",{more}}}"#));
    let action = |text: &str| statement(&format!(r#"{{"Effect":"Allow","Action":{text},"Resource":"*"}}"#));
    let resource = |text: &str| statement(&format!(r#"{{"Effect":"Allow","Action":"*","Resource":{text}}}"#));
    let trust = |more: &str| statement(&format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole",{more}}}"#));
    let when = |text: &str| with(&format!(r#""Condition":{text}"#));
    let value = |operator: &str, key: &str| when(&format!(r#"{{"{operator}":{{"{key}":"x"}}}}"#));
    let identity = vec![
        " ".repeat(Form::Identity.bytes_max() + 1),
        "\u{feff}{}".to_owned(),
        "[]".to_owned(),
        r#"{"Version":"2","Statement":[]}"#.to_owned(),
        r#"{"Version":"1"}"#.to_owned(),
        r#"{"Version":"1","Versions":"1"}"#.to_owned(),
        r#"{"Version":"1","Statement":"x"}"#.to_owned(),
        statement(""),
        statement(&["{}"; 101].join(",")),
        statement("[]"),
        statement(r#"{"Effect":"allow"}"#),
        with(r#""Action":"*""#),
        with(r#""NotAction":"*""#),
        with(r#""Principal":{}"#),
        with(r#""Sid":"ä""#),
        action("{}"),
        action("[]"),
        action(r#""x""#),
        action(r#""kms:Decrpyt""#),
        resource(r#""x""#),
        resource(r#""acs:KMS:*:*:key/x""#),
        resource(r#""acs:kms:*:*:*:key/x""#),
        resource(r#""acs:kms::*:key/x""#),
        resource(r#""acs:ram:cn-hangzhou:*:user/x""#),
        resource(r#""acs:kms:*::key/x""#),
        resource(r#""acs:kms:*:*:keys/x""#),
        when(r#""x""#),
        when(r#"{"Like":{}}"#),
        when(r#"{"StringEquals":"x"}"#),
        when(r#"{"StringEquals":{}}"#),
        when(r#"{"StringEquals":{"acs:ServiceName":"x"},"StringEquals":{"acs:ServiceName":"x"}}"#),
        when(r#"{"Bool":{"acs:SecureTransport":"true","acs:SecureTransport":"true"}}"#),
        value("StringEquals", "acs:Nothing"),
        value("StringEquals", "acs:SourceIp"),
        value("NumericEquals", "kms:EncryptionContext/a"),
        value("DateLessThan", "acs:CurrentTime"),
        value("Bool", "acs:SecureTransport"),
        value("IpAddress", "acs:SourceIp"),
        value("StringEquals", "oss:Prefix").replace("Allow", "Deny"),
    ];
    let of_roles = vec![
        trust(r#""Principal":{"RAM":"x"}"#),
        trust(r#""Principal":{"Federated":"x"}"#),
        trust(r#""Principal":{"Service":"X Y"}"#),
        trust(r#""Principal":{"Human":"x"}"#),
        trust(r#""Principal":{},"Resource":"*""#),
        trust(r#""Principal":{}"#),
        statement(r#"{"Effect":"Allow","Action":"sts:X","Principal":{"RAM":"x"}}"#),
    ];
    let all = identity.into_iter().map(|text| (text, "identity"));
    all.chain(of_roles.into_iter().map(|text| (text, "trust"))).collect()
}

#[test]
fn every_mistake_is_told_in_each_language() {
    for (document, form) in wrong() {
        let kind = if form == "trust" { Form::Trust } else { Form::Identity };
        let reason = parse(&document, kind).expect_err(&document).reason;
        let told: Vec<String> = Lang::ALL
            .into_iter()
            .map(|lang| {
                let texts = Texts::of(lang);
                let frame = Frame { texts, visitor: None, path: "/", calls: &[], done: None, refusal: None };
                pages::finding_text(&frame, &finding(&document, form))
            })
            .collect();
        let [japanese, chinese, english] = told.as_slice() else { panic!("three languages") };
        assert!(!japanese.contains(reason) && !chinese.contains(reason), "{reason}: {told:?}");
        assert!(english.starts_with("Line "), "{told:?}");
    }
}
