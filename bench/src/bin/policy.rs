//! What a decision of the policy engine costs: a principal with 10 policies of 20 statements, in a loop, on one thread.
//!
//! Prints one line of `name=value` pairs for each case, as `load` does. In the mixed cases the actions of a statement are
//! two of many; in the others every statement is about every action, so that none can be passed over.

use std::{
    collections::BTreeMap, error::Error, fmt::Write as _, hint::black_box, io::Write as _, process::ExitCode,
    time::Instant,
};

use jomae_api::{
    actions,
    param::EncryptionContext,
    policy::{Form, parse},
    time::Timestamp,
};
use jomae_bench::process::Usage;
use jomae_core::policy::{Compiled, Facts, Request, Verdict, action_number};

const POLICIES: usize = 10;
const STATEMENTS: usize = 20;
const RESOURCE: &str = "acs:kms:cn-hangzhou:1234567890123456:key/08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73";
/// Met by the request.
const CONDITIONS: &str = r#","Condition":{"StringEquals":{"kms:EncryptionContext/tenant":["4711","4712"]},"IpAddress":{"acs:SourceIp":["192.0.2.0/24","10.0.0.0/8"]}}"#;
/// How long a case is measured, five times.
const ROUND_US: u64 = 200_000;

/// One statement: whether it is about the request's key, what it does, and with which actions.
struct Source {
    effect: &'static str,
    matches: bool,
    actions: String,
    conditions: &'static str,
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    const LAST: usize = POLICIES * STATEMENTS - 1;
    // Every tenth denies something else.
    let effect = |at: usize| if at % 10 == 5 { "Deny" } else { "Allow" };
    let kms: Vec<&str> = actions::permissions().iter().copied().filter(|name| name.starts_with("kms:")).collect();
    let two = |at: usize| {
        let name = |at: usize| kms.get(at % kms.len()).copied().unwrap_or("kms:Decrypt");
        format!(r#"["{}","{}"]"#, name(2 * at), name(2 * at + 1))
    };
    let allow = |which: Option<usize>, everything: bool, conditions: &'static str| {
        move |at: usize| {
            let matches = which == Some(at);
            let actions = if everything || matches { r#""kms:*""#.to_owned() } else { two(at) };
            Source { effect: if matches { "Allow" } else { effect(at) }, matches, actions, conditions }
        }
    };
    let deny_last = |at: usize| Source {
        effect: if at == LAST { "Deny" } else { effect(at) },
        matches: at == LAST || at == 0,
        actions: r#""kms:*""#.to_owned(),
        conditions: "",
    };
    // Only what the other statements' conditions look at tells them apart from the last.
    let unmet = |at: usize| Source {
        effect: effect(at).replace("Deny", "Allow").leak(),
        matches: true,
        actions: r#""kms:*""#.to_owned(),
        conditions: if at == LAST {
            CONDITIONS
        } else {
            r#","Condition":{"StringEquals":{"kms:EncryptionContext/tenant":["1","2"]},"IpAddress":{"acs:SourceIp":"192.0.2.0/24"}}"#
        },
    };
    run("mixed-allow-first", allow(Some(0), false, ""), "allow")?;
    run("mixed-allow-last", allow(Some(LAST), false, ""), "allow")?;
    run("mixed-denied", allow(None, false, ""), "nothing")?;
    run("mixed-conditions-allow-last", allow(Some(LAST), false, CONDITIONS), "allow")?;
    run("all-allow-first", allow(Some(0), true, ""), "allow")?;
    run("all-allow-last", allow(Some(LAST), true, ""), "allow")?;
    run("all-denied", allow(None, true, ""), "nothing")?;
    run("all-explicit-deny-last", deny_last, "deny")?;
    run("all-conditions-allow-last", allow(Some(LAST), true, CONDITIONS), "allow")?;
    run("all-conditions-unmet-allow-last", unmet, "allow")
}

fn run(case: &str, source: impl Fn(usize) -> Source, expected: &str) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let policies = (0..POLICIES).map(|policy| compile(policy, &source)).collect::<Result<Vec<_>, _>>()?;
    let compile_us = started.elapsed().as_micros();
    let context: EncryptionContext =
        BTreeMap::from([("purpose".to_owned(), "orders".to_owned()), ("tenant".to_owned(), "4711".to_owned())])
            .into_iter()
            .collect();
    let facts = Facts {
        now: Timestamp(1_767_225_600),
        secure_transport: true,
        source_ip: Some([192, 0, 2, 7].into()),
        mfa_present: None,
        principal_arn: "acs:ram::1234567890123456:user/alice",
        encryption_context: Some(&context),
        resource_tags: None,
        request_tags: None,
        more: &[],
    };
    let action = action_number("kms:Encrypt").ok_or("there is no Encrypt")?;
    let request = || Request::new(action, RESOURCE, &facts);
    let found = decide(&policies, &request());
    if found != expected {
        return Err(format!("{case}: {found}, not {expected}").into());
    }
    // Processor time, because other programs may have a share of the processor.
    let cpu_us = || Usage::of(std::process::id()).map(|usage| usage.cpu_us);
    let cost_us = |times: u64| -> Result<u64, Box<dyn Error>> {
        let before = cpu_us()?;
        for _ in 0..times {
            black_box(decide(black_box(&policies), black_box(&request())));
        }
        Ok(cpu_us()? - before)
    };
    let mut times = 64;
    while cost_us(times)? < ROUND_US {
        times *= 2;
    }
    let mut rounds =
        (0..5).map(|_| Ok(cost_us(times)? * 1000 / times)).collect::<Result<Vec<u64>, Box<dyn Error>>>()?;
    rounds.sort_unstable();
    let median = rounds.get(rounds.len() / 2).ok_or("nothing was measured")?;
    writeln!(std::io::stdout(), "case={case} cpu_ns_per_decision={median} compile_us={compile_us}")?;
    Ok(())
}

/// The document of one policy, read and compiled.
fn compile(policy: usize, source: &impl Fn(usize) -> Source) -> Result<Compiled, Box<dyn Error>> {
    let mut statements = String::new();
    for at in policy * STATEMENTS..(policy + 1) * STATEMENTS {
        let Source { effect, matches, actions, conditions } = source(at);
        // Half of them name one key, half all keys that start so.
        let (id, rest) = RESOURCE.rsplit_once("08c33a6f-").ok_or("the resource has another key")?;
        let key = if matches { "08c33a6f".to_owned() } else { format!("{at:08x}") };
        let resource = format!("{}{key}-{}", id.replace("cn-hangzhou", "*"), if at % 2 == 0 { rest } else { "*" });
        let comma = if statements.is_empty() { "" } else { "," };
        write!(statements, r#"{comma}{{"Effect":"{effect}","Action":{actions},"Resource":"{resource}"{conditions}}}"#)?;
    }
    let policy = parse(&format!(r#"{{"Version":"1","Statement":[{statements}]}}"#), Form::Identity);
    Ok(Compiled::of(&policy.map_err(|wrong| wrong.to_string())?))
}

/// What all policies together say, as the service puts them together.
fn decide(policies: &[Compiled], request: &Request<'_>) -> &'static str {
    let mut verdict = "nothing";
    for policy in policies {
        match policy.evaluate(request) {
            Verdict::ExplicitDeny { .. } => return "deny",
            Verdict::Allow { .. } => verdict = "allow",
            Verdict::ImplicitDeny => {}
            Verdict::TooCostly => return "too costly",
        }
    }
    verdict
}
