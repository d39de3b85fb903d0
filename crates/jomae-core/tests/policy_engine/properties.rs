//! What must hold of every policy.

use jomae_api::{
    actions,
    policy::{Form, parse},
};
use jomae_core::policy::{Compiled, ResourceVerdict, Verdict};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{
    generate,
    naive::{Question, Who},
};

fn compile(document: &Value, form: Form) -> Compiled {
    Compiled::of(&parse(&document.to_string(), form).unwrap())
}

/// How much is allowed: 2 the principal itself, 1 its account.
fn allowed(policy: &Compiled, form: Form, question: &Question) -> u8 {
    if form.has_principals() {
        match question.engine_for(policy) {
            ResourceVerdict::Allow { .. } => 2,
            ResourceVerdict::AllowAccount { .. } => 1,
            ResourceVerdict::ExplicitDeny { .. } | ResourceVerdict::NotNamed | ResourceVerdict::TooCostly => 0,
        }
    } else {
        u8::from(matches!(question.engine(policy), Verdict::Allow { .. })) * 2
    }
}

/// The verdict without its statement.
fn kind(policy: &Compiled, form: Form, question: &Question) -> String {
    let verdict = if form.has_principals() {
        format!("{:?}", question.engine_for(policy))
    } else {
        format!("{:?}", question.engine(policy))
    };
    verdict.split(' ').next().unwrap().to_owned()
}

fn any_document() -> impl Strategy<Value = (Form, Value)> {
    select(&Form::ALL[..]).prop_flat_map(|form| (Just(form), generate::policy(form)))
}

fn map_texts(value: &mut Value, change: fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| map_texts(item, change)),
        _ => {}
    }
}

fn swap_case(text: &str) -> String {
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    text.chars().map(swap).collect()
}

/// Swaps the case of the last part of a name.
fn swap_name(resource: &str) -> String {
    let (head, name) = resource.split_at(resource.rfind([':', '/']).unwrap_or_default());
    format!("{head}{}", swap_case(name))
}

fn statements(document: &mut Value) -> &mut Vec<Value> {
    document["Statement"].as_array_mut().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_deny_more_never_allows_more(
        (form, document, mut deny) in any_document().prop_flat_map(|(form, document)| (Just(form), Just(document), generate::statement(form))),
        place: prop::sample::Index,
        questions in vec(generate::question(), 4),
    ) {
        let mut narrower = document.clone();
        deny["Effect"] = json!("Deny");
        let place = place.index(statements(&mut narrower).len() + 1);
        statements(&mut narrower).insert(place, deny);
        prop_assume!(parse(&narrower.to_string(), form).is_ok());
        let (before, after) = (compile(&document, form), compile(&narrower, form));
        for question in &questions {
            prop_assert!(allowed(&after, form, question) <= allowed(&before, form, question), "{question:?}");
        }
    }

    #[test]
    fn an_allow_more_never_allows_less(
        (form, document, mut allow) in any_document().prop_flat_map(|(form, document)| (Just(form), Just(document), generate::statement(form))),
        questions in vec(generate::question(), 4),
    ) {
        let mut wider = document.clone();
        allow["Effect"] = json!("Allow");
        statements(&mut wider).push(allow);
        prop_assume!(parse(&wider.to_string(), form).is_ok());
        let (before, after) = (compile(&document, form), compile(&wider, form));
        for question in &questions {
            prop_assert!(allowed(&after, form, question) >= allowed(&before, form, question), "{question:?}");
        }
    }

    #[test]
    fn order_never_matters(
        (form, document, shuffled) in any_document().prop_flat_map(|(form, mut document)| {
            let statements = statements(&mut document).clone();
            (Just(form), Just(document), Just(statements).prop_shuffle())
        }),
        questions in vec(generate::question(), 4),
    ) {
        let other = json!({ "Version": "1", "Statement": shuffled });
        let (one, other) = (compile(&document, form), compile(&other, form));
        for question in &questions {
            prop_assert_eq!(kind(&one, form, question), kind(&other, form, question));
        }
    }

    #[test]
    fn case_never_matters_to_actions((form, document) in any_document(), questions in vec(generate::question(), 4)) {
        let mut other = document.clone();
        for statement in statements(&mut other) {
            for name in ["Action", "NotAction"] {
                if let Some(actions) = statement.get_mut(name) {
                    map_texts(actions, swap_case);
                }
            }
        }
        let (one, other) = (compile(&document, form), compile(&other, form));
        for question in &questions {
            prop_assert_eq!(kind(&one, form, question), kind(&other, form, question));
        }
    }

    /// A resource written in another case is another resource.
    #[test]
    fn case_never_widens_resources(document in generate::policy(Form::Identity), question in generate::question()) {
        let other = Question { resource: swap_name(&question.resource), ..question.clone() };
        let literal =
            json!({ "Version": "1", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": question.resource }] });
        let literal = compile(&literal, Form::Identity);
        prop_assert_eq!(question.engine(&literal), Verdict::Allow { statement: 1 });
        if other.resource != question.resource {
            prop_assert_eq!(other.engine(&literal), Verdict::ImplicitDeny);
        }
        // Both in the other case: the same.
        let mut swapped = document.clone();
        for statement in statements(&mut swapped) {
            map_texts(&mut statement["Resource"], swap_name);
        }
        let (one, swapped) = (compile(&document, Form::Identity), compile(&swapped, Form::Identity));
        prop_assert_eq!(question.engine(&one), other.engine(&swapped));
    }

    /// `NotAction` is about exactly the actions that `Action` with the same list is not about.
    #[test]
    fn not_action_is_the_rest(document in generate::policy(Form::Identity), question in generate::question()) {
        let list = match &document["Statement"][0] {
            statement if statement["Action"].is_null() => statement["NotAction"].clone(),
            statement => statement["Action"].clone(),
        };
        let with = |name: &str| {
            let mut statement = json!({ "Effect": "Allow", "Resource": "*" });
            statement[name] = list.clone();
            compile(&json!({ "Version": "1", "Statement": [statement] }), Form::Identity)
        };
        let (these, all_but) = (with("Action"), with("NotAction"));
        for action in actions::permissions() {
            let question = Question { action, ..question.clone() };
            let one = matches!(question.engine(&these), Verdict::Allow { .. });
            prop_assert_ne!(one, matches!(question.engine(&all_but), Verdict::Allow { .. }), "{} {}", action, list);
        }
    }

    /// Nothing that names principals of one account speaks to another.
    #[test]
    fn accounts_are_strangers((form, document) in any_document(), question in generate::question()) {
        let stranger = jomae_api::names::AccountId::new("0000000000000001").unwrap();
        let policy = compile(&document, form);
        for who in [
            Who::Root(stranger.clone()),
            Who::User(stranger.clone(), "u".to_owned()),
            Who::Role(stranger, "u".to_owned()),
            Who::Federated("acs:ram::0000000000000001:oidc-provider/ci".to_owned()),
        ] {
            prop_assert_eq!(Question { who, ..question.clone() }.engine_for(&policy), ResourceVerdict::NotNamed);
        }
    }
}
