//! What the steps of a decision take: the worst that a tenant can make of its policies and of its requests, on one
//! thread.
//!
//! Each case fills the policies with one kind of comparison that nearly fits everywhere, until they cost the whole budget
//! of a decision, and asks. Prints one line of `name=value` pairs for each; `ps_per_step` above 1000 says that the numbers
//! of `jomae_api::policy::Cost` are too low for this machine.

use std::{collections::BTreeMap, error::Error, hint::black_box, io::Write as _, process::ExitCode, time::Instant};

use jomae_api::{
    limits::DECISION_STEPS_MAX,
    param::EncryptionContext,
    policy::{Form, parse},
    time::Timestamp,
};
use jomae_core::policy::{Compiled, Facts, Request, Verdict, action_number};

/// How often a case is asked; the fastest counts, because other programs may have a share of the processor.
const ROUNDS: u32 = 20;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policy-cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    let long = "a".repeat(8100);
    let wide = "é".repeat(4000);
    let mixed: String = "ab".repeat(4050);
    let short = "a".repeat(100);
    let like = |pattern: &str| condition("StringLike", pattern);
    run("anything", &long, &like("*"))?;
    run("prefix", &long, &like(&format!("{}b*", "a".repeat(200))))?;
    run("one-letter", &long, &like("*b*"))?;
    run("literal", &long, &like("*ab*"))?;
    run("literal-8", &long, &like("*aaaaaaab*"))?;
    run("literal-16", &long, &like("*aaaaaaaabaaaaaaa*"))?;
    run("literal-64", &long, &like(&format!("*{}b{}*", "a".repeat(32), "a".repeat(32))))?;
    run("literal-1000", &long, &like(&format!("*{}b{}*", "a".repeat(500), "a".repeat(500))))?;
    run("literal-mixed", &mixed, &like("*abababba*"))?;
    run("many-pieces", &long, &like(&format!("{}b", "*aa".repeat(500))))?;
    run("question-3", &long, &like("*a?b*"))?;
    run("question-8", &long, &like("*aaaa?aab*"))?;
    run("question-60", &long, &like(&format!("*{}b*", "a?".repeat(30))))?;
    run("question-200", &long, &like(&format!("*{}b*", "a?".repeat(100))))?;
    run("question-2000", &long, &like(&format!("*{}b*", "a?".repeat(1000))))?;
    run("question-wide", &wide, &like(&format!("*{}b*", "é?".repeat(100))))?;
    run("question-short", &short, &like("*aaaa?aab*"))?;
    run("question-short-60", &short, &like(&format!("*{}b*", "a?".repeat(30))))?;
    run("literal-short", &short, &like("*aaaaaaab*"))?;
    run("equals", &long, &condition("StringEquals", &format!("{}b", "a".repeat(3000))))?;
    run(
        "equals-ignore-case",
        &"é".repeat(1000),
        &condition("StringEqualsIgnoreCase", &format!("{}a", "É".repeat(999))),
    )?;
    run("numeric", &"1".repeat(8000), &condition("NumericEquals", &"1".repeat(2000)))?;
    run("principal-pattern", &short, r#""StringLike":{"acs:PrincipalARN":"*aaaa*"}"#)?;
    run("resources", &short, "")
}

fn condition(operator: &str, value: &str) -> String {
    format!(r#""{operator}":{{"kms:EncryptionContext/k":"{value}"}}"#)
}

fn run(case: &str, value: &str, condition: &str) -> Result<(), Box<dyn Error>> {
    let text = format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Deny","Action":"kms:Encrypt","Resource":["acs:kms:*:*:key/*aab*","acs:kms:*:*:key/*aa?b"],"Condition":{{{condition}}}}}]}}"#
    );
    let text = if condition.is_empty() {
        text
    } else {
        text.replace(r#"["acs:kms:*:*:key/*aab*","acs:kms:*:*:key/*aa?b"]"#, r#""*""#)
    };
    let policy = Compiled::of(&parse(&text, Form::Identity).map_err(|wrong| format!("{case}: {wrong}"))?);
    let context: EncryptionContext = BTreeMap::from([("k".to_owned(), value.to_owned())]).into_iter().collect();
    let facts = Facts {
        now: Timestamp(1_767_225_600),
        secure_transport: true,
        source_ip: None,
        mfa_present: None,
        principal_arn: "acs:ram::1234567890123456:user/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        encryption_context: Some(&context),
        resource_tags: None,
        request_tags: None,
        more: &[],
    };
    let resource = format!("acs:kms:cn-hangzhou:1234567890123456:key/{}", "a".repeat(60));
    let action = action_number("kms:Encrypt").ok_or("there is no Encrypt")?;
    let mut fastest_ns = u128::MAX;
    let (mut asked, mut steps) = (0_u64, 0);
    for _ in 0..ROUNDS {
        let request = Request::new(action, &resource, &facts);
        let started = Instant::now();
        asked = 0;
        // The same policy again and again stands for as many of them.
        let mut before = request.left();
        while black_box(&policy).evaluate(black_box(&request)) != Verdict::TooCostly {
            asked += 1;
            before = request.left();
        }
        fastest_ns = fastest_ns.min(started.elapsed().as_nanos());
        steps = DECISION_STEPS_MAX - before;
    }
    let ps_per_step = fastest_ns * 1000 / u128::from(steps.max(1));
    writeln!(
        std::io::stdout(),
        "case={case} policies={asked} steps={steps} us={} ps_per_step={ps_per_step} steps_max={}",
        fastest_ns / 1000,
        policy.steps_max()
    )?;
    Ok(())
}
