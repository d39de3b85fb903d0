//! Thousands of policies and requests on which both evaluators must agree, to the statement.

use std::{cell::RefCell, collections::BTreeMap};

use jomae_api::policy::{Effect, Form, parse};
use jomae_core::policy::{Compiled, Explained, ResourceVerdict, StatementMatch, Verdict};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestError, TestRunner},
};

use crate::{generate, naive};

const DOCUMENTS: u32 = 4000;
const QUESTIONS: usize = 4;

/// Asks both about documents of a form; `agree` gives the kind of their answer.
fn run(
    form: Form,
    agree: impl Fn(&serde_json::Value, &Compiled, &naive::Question) -> Result<&'static str, TestCaseError>,
) -> BTreeMap<&'static str, u32> {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: DOCUMENTS, failure_persistence: None, ..Default::default() });
    let counts = RefCell::new(BTreeMap::new());
    let strategy = (generate::document(form), vec(generate::question(), QUESTIONS));
    let result = runner.run(&strategy, |(document, questions)| {
        let text = document.to_string();
        let policy = parse(&text, form);
        prop_assert_eq!(policy.is_err(), naive::is_refused(&document), "{:?}", policy);
        *counts.borrow_mut().entry(if policy.is_err() { "refused" } else { "taken" }).or_insert(0) += 1;
        let Ok(policy) = policy else { return Ok(()) };
        let compiled = Compiled::of(&policy);
        for question in questions {
            *counts.borrow_mut().entry(agree(&document, &compiled, &question)?).or_insert(0) += 1;
        }
        Ok(())
    });
    match result {
        Ok(()) => counts.into_inner(),
        Err(TestError::Fail(reason, (document, questions))) => panic!("{reason}\n{document}\n{questions:#?}"),
        Err(error) => panic!("{error}"),
    }
}

/// What explains it says the same.
fn first_that_applies(explained: &[Explained], effect: Effect) -> Option<u16> {
    let applies = |each: &&Explained| each.effect == effect && each.outcome == StatementMatch::Applies;
    explained.iter().find(applies).map(|each| each.statement)
}

fn identity(form: Form) {
    let counts = run(form, |document, compiled, question| {
        let verdict = question.engine(compiled);
        prop_assert_eq!(verdict, naive::evaluate(document, question));
        prop_assert_eq!(question.engine_for(compiled), ResourceVerdict::NotNamed);
        let explained = question.explain(compiled);
        prop_assert!(explained.iter().all(|each| !each.to_string().is_empty()));
        let (deny, allow) =
            (first_that_applies(&explained, Effect::Deny), first_that_applies(&explained, Effect::Allow));
        Ok(match verdict {
            Verdict::ExplicitDeny { statement } => {
                prop_assert_eq!(deny, Some(statement));
                "deny"
            }
            Verdict::Allow { statement } => {
                prop_assert_eq!((deny, allow), (None, Some(statement)));
                "allow"
            }
            Verdict::ImplicitDeny => {
                prop_assert_eq!((deny, allow), (None, None));
                "nothing"
            }
            Verdict::TooCostly => return Err(TestCaseError::fail("too costly")),
        })
    });
    often(&counts, &["deny", "allow", "nothing", "taken", "refused"]);
}

fn resource(form: Form) {
    let counts = run(form, |document, compiled, question| {
        let verdict = question.engine_for(compiled);
        prop_assert_eq!(verdict, naive::evaluate_for(document, question));
        prop_assert_eq!(question.engine(compiled), Verdict::ImplicitDeny);
        let explained = question.explain_for(compiled);
        let deny = first_that_applies(&explained, Effect::Deny);
        Ok(match verdict {
            ResourceVerdict::ExplicitDeny { statement } => {
                prop_assert_eq!(deny, Some(statement));
                "deny"
            }
            ResourceVerdict::Allow { .. } => {
                prop_assert_eq!(deny, None);
                "allow"
            }
            ResourceVerdict::AllowAccount { statement } => {
                prop_assert_eq!(first_that_applies(&explained, Effect::Allow), Some(statement));
                "allow account"
            }
            ResourceVerdict::NotNamed => {
                prop_assert!(!explained.iter().any(|each| each.outcome == StatementMatch::Applies));
                "nothing"
            }
            ResourceVerdict::TooCostly => return Err(TestCaseError::fail("too costly")),
        })
    });
    often(&counts, &["deny", "allow", "allow account", "nothing", "taken", "refused"]);
}

/// A generator whose policies never match would agree on everything.
fn often(counts: &BTreeMap<&str, u32>, kinds: &[&str]) {
    for kind in kinds {
        assert!(counts.get(kind).is_some_and(|count| *count > DOCUMENTS / 100), "{kind}: {counts:?}");
    }
}

#[test]
fn identity_policies() {
    identity(Form::Identity);
}

#[test]
fn session_policies() {
    identity(Form::Session);
}

#[test]
fn key_policies() {
    resource(Form::Key);
}

#[test]
fn trust_policies() {
    resource(Form::Trust);
}
