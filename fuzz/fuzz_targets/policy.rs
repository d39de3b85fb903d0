//! Policies of every form: `policy::parse`, and the engine with what it gives.
//!
//! Input: a byte that picks the form, and the text. A policy that is taken says to another reader of JSON what it says to
//! us; what the engine decides with it, it can explain. What is refused has its place in the text.

#![no_main]

use jomae_api::{
    names::AccountId,
    param::EncryptionContext,
    policy::{Effect, Form, KeyPolicy, parse, place_of},
    time::Timestamp,
};
use jomae_core::policy::{Compiled, Explained, Facts, Principal, Request, ResourceVerdict, StatementMatch, Verdict};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let [form, text @ ..] = data else { return };
    let form = Form::ALL[usize::from(*form) % Form::ALL.len()];
    let Ok(text) = str::from_utf8(text) else { return };
    let policy = match parse(text, form) {
        Ok(policy) => policy,
        Err(wrong) => {
            assert!(!wrong.element.is_empty() && !wrong.reason.is_empty());
            let place = place_of(text, form, &wrong);
            let line = text.split('\n').nth(place.line - 1).unwrap();
            assert!((1..=line.chars().count() + 1).contains(&place.column));
            return;
        }
    };
    assert!(text.len() <= form.bytes_max());
    if form == Form::Key {
        assert_eq!(KeyPolicy::from_json(text).unwrap().as_str(), text);
    }
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["Version"], "1");
    let statements = document["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), policy.statements.len());
    let listed = |value: &Value| value.as_array().map_or(usize::from(value.is_string()), Vec::len);
    for (read, written) in policy.statements.iter().zip(statements) {
        assert_eq!(written["Effect"], if read.effect == Effect::Allow { "Allow" } else { "Deny" });
        assert_eq!(listed(&written["Resource"]), read.resources.len());
        assert!(listed(&written["Action"]) + listed(&written["NotAction"]) > 0);
        assert_eq!(written["Principal"].is_object(), form.has_principals());
        let keys = written["Condition"].as_object().into_iter().flat_map(|operators| operators.values());
        assert_eq!(keys.map(|keys| keys.as_object().unwrap().len()).sum::<usize>(), read.conditions.len());
    }
    decide(&Compiled::of(&policy), form);
});

fn decide(policy: &Compiled, form: Form) {
    let context: EncryptionContext = [("tenant".to_owned(), "4711".to_owned())].into_iter().collect();
    let account = AccountId::new("1234567890123456").unwrap();
    let (yes, no) = (context.pairs().clone(), Default::default());
    for facts in [
        Facts {
            now: Timestamp(1_767_225_600),
            secure_transport: true,
            source_ip: Some([192, 0, 2, 7].into()),
            mfa_present: Some(false),
            principal_arn: "acs:ram::1234567890123456:user/bob",
            encryption_context: Some(&context),
            resource_tags: Some(&yes),
            request_tags: Some(&no),
            more: &[("sts:ExternalId", "4711"), ("oidc:aud", "sts"), ("oidc:aud", "ci")],
        },
        Facts {
            now: Timestamp(i64::MIN),
            secure_transport: false,
            source_ip: None,
            mfa_present: None,
            principal_arn: "",
            encryption_context: None,
            resource_tags: None,
            request_tags: None,
            more: &[],
        },
    ] {
        for action in 0..=u16::try_from(jomae_api::actions::permissions().len()).unwrap() {
            let resource = "acs:kms:cn-hangzhou:1234567890123456:key/k";
            let request = Request::with_budget(action, resource, &facts, u64::MAX);
            if !form.has_principals() {
                match policy.evaluate(&request) {
                    Verdict::ExplicitDeny { statement } => applies(&policy.explain(&request), statement, Effect::Deny),
                    Verdict::Allow { statement } => applies(&policy.explain(&request), statement, Effect::Allow),
                    Verdict::ImplicitDeny => nothing(&policy.explain(&request)),
                    Verdict::TooCostly => unreachable!(),
                }
                continue;
            }
            assert_eq!(policy.evaluate(&request), Verdict::ImplicitDeny);
            for principal in [
                Principal::Root { account: &account },
                Principal::User { account: &account, name: "bob" },
                Principal::Role { account: &account, name: "r" },
                Principal::Federated { provider_arn: "acs:ram::1234567890123456:oidc-provider/ci" },
            ] {
                let explained = policy.explain_for(&request, &principal);
                match policy.evaluate_for(&request, &principal) {
                    ResourceVerdict::ExplicitDeny { statement } => applies(&explained, statement, Effect::Deny),
                    ResourceVerdict::Allow { statement } | ResourceVerdict::AllowAccount { statement } => {
                        applies(&explained, statement, Effect::Allow);
                    }
                    ResourceVerdict::NotNamed => nothing(&explained),
                    ResourceVerdict::TooCostly => unreachable!(),
                }
            }
        }
    }
}

fn applies(explained: &[Explained], statement: u16, effect: Effect) {
    assert!(explained.contains(&Explained { statement, effect, outcome: StatementMatch::Applies }));
}

fn nothing(explained: &[Explained]) {
    assert!(explained.iter().all(|each| each.outcome != StatementMatch::Applies));
}
