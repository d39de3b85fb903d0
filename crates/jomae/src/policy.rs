//! `jomae policy`: is it one, and what does it do?

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use jomae_api::policy as language;
use jomae_server::{
    bootstrap::StartError,
    operator::{self, OperatorError, ReplayRequest, SimulateRequest},
};
use serde_json::Value;

use crate::{
    args::{Form, Policy, Show, Simulate},
    connect::block_on,
    output::{self, Failure},
    serve, show, times,
};

/// Largest document that is read, in bytes; more than any form takes.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;

pub fn run(show: &Show, command: &Policy) -> Result<(), Failure> {
    match command {
        Policy::Check { file, form } => check(file, *form),
        Policy::Simulate(simulate) if simulate.replay => replay(show, simulate),
        Policy::Simulate(simulate) => ask(show, simulate),
    }
}

fn check(path: &Path, form: Form) -> Result<(), Failure> {
    let (form, name) = match form {
        Form::Identity => (language::Form::Identity, "identity"),
        Form::Session => (language::Form::Session, "session"),
        Form::Key => (language::Form::Key, "key"),
        Form::Trust => (language::Form::Trust, "trust"),
    };
    let policy = language::parse(&read(path)?, form)
        .map_err(|place| Failure::Local(format!("{}: no {name} policy: {place}", path.display())))?;
    let count = policy.statements.len();
    let plural = if count == 1 { "" } else { "s" };
    output::line(&format!("{}: {name} policy, {count} statement{plural}", path.display()))
}

pub fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let limit = DOCUMENT_BYTES_MAX + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(limit).read_to_string(&mut text).map_err(failed)?;
    }
    if text.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(Failure::Local(format!("{}: longer than {DOCUMENT_BYTES_MAX} bytes", path.display())));
    }
    Ok(text)
}

/// A denial must not look like a question that went wrong.
fn failure(error: OperatorError) -> Failure {
    match error {
        OperatorError::Refused(text) => Failure::Usage(text),
        // 1 would say that it is denied.
        OperatorError::Start(StartError::NoStore(_) | StartError::StoreElsewhere(_)) => {
            Failure::Usage(error.to_string())
        }
        other => Failure::Service(other.to_string()),
    }
}

/// What cannot be read here is no denial either.
fn as_usage(failure: Failure) -> Failure {
    match failure {
        Failure::Local(text) => Failure::Usage(text),
        other => other,
    }
}

fn pairs(given: &[String], flag: &str) -> Result<BTreeMap<String, String>, Failure> {
    let mut pairs = BTreeMap::new();
    for pair in given {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| Failure::Usage(format!("--{flag} has the form NAME=VALUE")))?;
        if pairs.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::Usage(format!("--{flag} names `{name}` twice")));
        }
    }
    Ok(pairs)
}

fn wire_time(given: Option<&str>) -> Result<Option<String>, Failure> {
    given.map(|text| times::past(text).map(|moment| moment.to_string())).transpose()
}

fn ask(show: &Show, simulate: &Simulate) -> Result<(), Failure> {
    let some = |pairs: BTreeMap<String, String>| Some(pairs).filter(|pairs| !pairs.is_empty());
    let request = SimulateRequest {
        principal: simulate.principal.clone().unwrap_or_default(),
        action: simulate.action.clone().unwrap_or_default(),
        resource: simulate.resource.clone(),
        context: pairs(&simulate.context, "context")?,
        source_ip: simulate.source_ip.clone(),
        time: wire_time(simulate.time.as_deref())?,
        tags: some(pairs(&simulate.tags, "tag")?),
        request_tags: some(pairs(&simulate.request_tags, "request-tag")?),
        external_id: simulate.external_id.clone(),
        policy: simulate.policy.as_deref().map(read).transpose().map_err(as_usage)?,
        instead_of: simulate.instead_of.clone(),
    };
    let config = serve::config(&simulate.config).map_err(as_usage)?;
    let answer = block_on(async { operator::simulate(&config, &request).await.map_err(failure) })?;
    show::told(show, &answer, &rendered(&answer))?;
    if answer.get("allowed") == Some(&Value::Bool(true)) { Ok(()) } else { Err(Failure::No) }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn rendered(answer: &Value) -> String {
    let verdict = if answer.get("allowed") == Some(&Value::Bool(true)) { "allowed" } else { "denied" };
    let mut lines = vec![format!("{verdict}: {} on {}", text(answer, "permission"), text(answer, "resource"))];
    lines.push(format!("  {}", text(answer, "reason")));
    for policy in items(answer, "policies") {
        let (name, statements) = (text(policy, "policy"), items(policy, "statements"));
        if statements.is_empty() {
            lines.push(format!("  {name}: no statement speaks of the action"));
        }
        lines.extend(statements.iter().filter_map(Value::as_str).map(|statement| format!("  {name}: {statement}")));
    }
    lines.extend(items(answer, "notes").iter().filter_map(Value::as_str).map(|note| format!("  note: {note}")));
    lines.join("\n")
}

fn replay(show: &Show, simulate: &Simulate) -> Result<(), Failure> {
    if simulate.instead_of.is_none() && simulate.add_to.is_none() {
        return Err(Failure::Usage("--replay needs --instead-of or --add-to".into()));
    }
    let policy = simulate.policy.as_deref().map(read).transpose().map_err(as_usage)?;
    let request = ReplayRequest {
        account: simulate.account.clone().unwrap_or_default(),
        from: wire_time(simulate.from.as_deref())?,
        until: wire_time(simulate.until.as_deref())?,
        policy: policy.unwrap_or_default(),
        instead_of: simulate.instead_of.clone(),
        add_to: simulate.add_to.clone(),
    };
    let config = serve::config(&simulate.config).map_err(as_usage)?;
    let found = block_on(async { operator::replay(&config, &request).await.map_err(failure) })?;
    show::told(show, &found, &told_of_replay(&found))?;
    if number(&found, "denied_total") == 0 { Ok(()) } else { Err(Failure::No) }
}

fn told_of_replay(found: &Value) -> String {
    let mut lines = Vec::new();
    for (total, list, what) in
        [("denied_total", "denied", "would be denied"), ("allowed_total", "allowed", "would be allowed")]
    {
        let (total, list) = (number(found, total), items(found, list));
        lines.push(format!("{} {what}", calls(total)));
        for change in list {
            let cells = ["time", "principal", "action", "resource", "event_id"].map(|name| text(change, name));
            lines.push(format!("  {}", cells.join("  ")));
            lines.push(format!("    {}", text(change, "reason")));
        }
        let more = total.saturating_sub(list.len() as u64);
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    }
    let range = format!("{} to {}", text(found, "from"), text(found, "until"));
    let (seen, decided) = (number(found, "calls"), number(found, "decided"));
    lines.push(format!("{} of the account from {range}; {decided} decided anew", calls(seen)));
    for (name, what) in [
        ("changed_already", "end otherwise today with the proposal and without"),
        ("callers_gone", "are of users and roles that are gone"),
        ("unknown", "act on what the log does not hold"),
    ] {
        let count = number(found, name);
        if count > 0 {
            lines.push(format!("{} {what}", calls(count)));
        }
    }
    lines.push(text(found, "note").to_owned());
    lines.join("\n")
}

fn calls(count: u64) -> String {
    if count == 1 { "1 call".to_owned() } else { format!("{count} calls") }
}
