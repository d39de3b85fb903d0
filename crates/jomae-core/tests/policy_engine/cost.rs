//! What policies cost to ask: never more than they were found to cost when they were written, and never an allowance for
//! want of steps.

use std::{collections::BTreeMap, fmt::Write as _};

use jomae_api::{
    limits::{DECISION_STEPS_MAX, POLICY_STEPS_MAX},
    policy::{Form, parse},
};
use jomae_core::policy::{Compiled, ResourceVerdict, Verdict};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{generate, naive::Question, table::question};

fn identity(statements: &[Value]) -> Compiled {
    let document = json!({ "Version": "1", "Statement": statements }).to_string();
    Compiled::of(&parse(&document, Form::Identity).unwrap_or_else(|wrong| panic!("{wrong}: {document}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    /// With too few steps the answer is that there are too few, or the right one: never another.
    #[test]
    fn too_few_steps_change_no_answer(
        (form, document) in select(&Form::ALL[..]).prop_flat_map(|form| (Just(form), generate::policy(form))),
        mut question in generate::question(),
        part in 1..100_u64,
    ) {
        let policy = Compiled::of(&parse(&document.to_string(), form).unwrap());
        // As the service asks: one value of a key that is no set.
        question.more.sort();
        question.more.dedup_by_key(|(name, _)| *name);
        if form.has_principals() {
            let (verdict, spent) = question.within_for(DECISION_STEPS_MAX, &policy);
            prop_assert!(spent <= policy.steps_max(), "{spent} of {}", policy.steps_max());
            prop_assert_eq!(question.within_for(spent, &policy), (verdict, spent));
            let (with_less, _) = question.within_for(spent * part / 100, &policy);
            prop_assert_eq!(with_less, ResourceVerdict::TooCostly);
        } else {
            let (verdict, spent) = question.within(DECISION_STEPS_MAX, &policy);
            prop_assert!(spent <= policy.steps_max(), "{spent} of {}", policy.steps_max());
            prop_assert_eq!(question.within(spent, &policy), (verdict, spent));
            let (with_less, _) = question.within(spent * part / 100, &policy);
            prop_assert_eq!(with_less, Verdict::TooCostly);
        }
    }
}

/// The largest requests that there can be cost no more than was said beforehand, and what was said is no exaggeration.
#[test]
fn what_is_said_beforehand_holds_for_the_largest_requests() {
    let long = "a".repeat(8000);
    let full = |value: &str| Question {
        context: Some(BTreeMap::from([("k".to_owned(), value.to_owned())])),
        resource: format!("acs:kms:cn-hangzhou:1234567890123456:alias/{}", "a".repeat(255)),
        ..question()
    };
    for pattern in
        ["*", "a*", "*a", "*a*", "*ab*", "*a?b*", "?*?", "*aaaaaaaaab?aaaa*"].map(str::to_owned).into_iter().chain([
            format!("*{}b*", "a?".repeat(100)),
            format!("*{}b*", "?".repeat(3000)),
            "*a".repeat(1000) + "b",
            "*a?".repeat(1000) + "b",
        ])
    {
        for (operator, value) in [("StringLike", &pattern), ("StringEqualsIgnoreCase", &pattern)] {
            let policy = identity(&[json!({
                "Effect": "Deny", "Action": "*", "Resource": ["acs:kms:*:*:alias/*a", "acs:kms:*:*:*b*a"],
                "Condition": { operator: { "kms:EncryptionContext/k": [value] } },
            })]);
            let (_, spent) = full(&long).within(u64::MAX, &policy);
            assert!(spent <= policy.steps_max(), "{pattern}: {spent} of {}", policy.steps_max());
            assert!(policy.steps_max() <= 2 * spent + 200, "{pattern}: {spent} of {}", policy.steps_max());
        }
    }
}

/// Steps of a search grow as the text and the pattern do, not as their product.
#[test]
fn searches_without_question_marks_are_linear() {
    let spent = |pieces: usize, bytes: usize| {
        let pattern = format!("{}*", "*ab".repeat(pieces));
        let policy = identity(&[json!({ "Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": { "StringLike": { "kms:EncryptionContext/k": pattern } } })]);
        let context = BTreeMap::from([("k".to_owned(), "a".repeat(bytes))]);
        Question { context: Some(context), ..question() }.within(u64::MAX, &policy).1
    };
    let (once, more_pieces, more_text) = (spent(100, 1000), spent(1000, 1000), spent(100, 8000));
    assert!(more_pieces < 11 * once && more_text < 3 * once, "{once} {more_pieces} {more_text}");
    assert!(spent(1000, 8000) < more_pieces + more_text);
}

/// 10 policies of a user and 10 of each of 10 groups, all as long as they may be, with what policies usually hold.
#[test]
fn an_account_full_of_ordinary_policies_is_within_the_budget() {
    let mut number = 0_u32;
    let mut ordinary = || {
        let mut statements = Vec::new();
        loop {
            let mut resources = Vec::new();
            for _ in 0..10 {
                number += 1;
                let mut id = String::new();
                let _ = write!(id, "{:08x}-4e0a-4a1b-a3fa-7ddfa1d4fb73", number.wrapping_mul(0x85EB_CA6B));
                resources.push(format!("acs:kms:*:*:key/{id}"));
            }
            statements.push(json!({
                "Effect": if number.is_multiple_of(30) { "Deny" } else { "Allow" },
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": resources,
                "Condition": {
                    "IpAddress": { "acs:SourceIp": ["192.0.2.0/24", "10.0.0.0/8"] },
                    "StringEquals": { "kms:tag/team": ["payments", "orders"], "kms:EncryptionContext/tenant": "4711" },
                },
            }));
            let document = json!({ "Version": "1", "Statement": statements }).to_string();
            if document.len() > Form::Identity.bytes_max() {
                statements.pop();
                return identity(&statements).steps_max();
            }
        }
    };
    let total: u64 = (0..110).map(|_| ordinary()).sum();
    assert!(total < POLICY_STEPS_MAX, "{total}");
}

/// A tenant's bomb: found before it is armed.
#[test]
fn a_policy_of_patterns_that_nearly_fit_is_over_the_budget() {
    let patterns: Vec<String> = (0..4).map(|at| format!("*{}b*", "a?".repeat(100 + at))).collect();
    let statement = json!({ "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*",
        "Condition": { "StringLike": { "kms:EncryptionContext/k": patterns } } });
    let policy = identity(&vec![statement; 5]);
    assert!(policy.steps_max() > POLICY_STEPS_MAX, "{}", policy.steps_max());
    let context = BTreeMap::from([("k".to_owned(), "a".repeat(8100))]);
    let question = Question { context: Some(context), ..question() };
    assert_eq!(question.engine(&policy), Verdict::TooCostly);
    let explained = question.explain(&policy);
    assert!(explained.iter().any(|each| each.to_string().contains("costs more than is left")), "{explained:?}");
}
