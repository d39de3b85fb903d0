//! Policies as they are named on a command line: those that are there, and documents in files.

use std::path::Path;

use jomae_api::policy::{self as language, Form};
use jomae_client::api::{CallError, Client};
use serde_json::{Value, json};

use super::{all, text};
use crate::{explain::call, names, output::Failure, policy::read};

/// A policy that shall be attached.
pub struct Granted {
    /// `Custom` or `System`.
    pub kind: &'static str,
    pub name: String,
    /// What must be made first.
    pub document: Option<String>,
}

/// What each name and file means. Nothing is changed yet.
pub async fn meant(client: &Client, given: &[String]) -> Result<Vec<Granted>, Failure> {
    let mut granted = Vec::new();
    for given in given {
        // No name of a policy has a dot or a slash.
        let is_file = given.contains(['.', '/']);
        granted.push(if is_file { of_file(client, Path::new(given)).await? } else { of_name(client, given).await? });
    }
    Ok(granted)
}

async fn of_file(client: &Client, path: &Path) -> Result<Granted, Failure> {
    let document = checked(path, Form::Identity)?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let Some(present) = default_version(client, "Custom", &name).await? else {
        return Ok(Granted { kind: "Custom", name, document: Some(document) });
    };
    let is_same = |one: &str, other: &str| {
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        read(one).is_some() && read(one) == read(other)
    };
    if is_same(&present, &document) {
        return Ok(Granted { kind: "Custom", name, document: None });
    }
    Err(Failure::Local(format!(
        "there is a policy {name} with another document: name the file otherwise, or change the policy first: jomae call \
         CreatePolicyVersion --PolicyName {name} --PolicyDocument @{} --SetAsDefault true",
        path.display()
    )))
}

async fn of_name(client: &Client, name: &str) -> Result<Granted, Failure> {
    for kind in ["Custom", "System"] {
        if default_version(client, kind, name).await?.is_some() {
            return Ok(Granted { kind, name: name.to_owned(), document: None });
        }
    }
    let known = all(client, "ListPolicies", &[], "/Policies/Policy").await?;
    let meant = names::nearest(name, known.iter().map(|row| text(row, "PolicyName")));
    let meant = meant.map_or_else(String::new, |meant| format!("; is {meant} meant?"));
    Err(Failure::Usage(format!(
        "there is no policy {name}{meant} (a document in a file has a dot or a slash in its name)"
    )))
}

/// The document of a policy in force, if there is one.
async fn default_version(client: &Client, kind: &str, name: &str) -> Result<Option<String>, Failure> {
    let params = [("PolicyType", kind), ("PolicyName", name)];
    match call(client, "GetPolicy", &params).await {
        Ok(answer) => {
            let document = answer.pointer("/DefaultPolicyVersion/PolicyDocument").and_then(Value::as_str);
            Ok(Some(document.unwrap_or_default().to_owned()))
        }
        Err(Failure::Call(CallError::Refused { code, .. })) if code == "EntityNotExist.Policy" => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Who may assume a role: a document, or one principal.
pub fn trust(given: &str) -> Result<String, Failure> {
    let principal = if given.len() == 16 && given.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("acs:ram::{given}:root")
    } else if given.starts_with("acs:ram::") {
        given.to_owned()
    } else {
        return checked(Path::new(given), Form::Trust);
    };
    let document = json!({"Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": [principal]},
    }]});
    Ok(document.to_string())
}

/// A policy that narrows a session.
pub fn session(path: &Path) -> Result<String, Failure> {
    checked(path, Form::Session)
}

fn checked(path: &Path, form: Form) -> Result<String, Failure> {
    let text = read(path)?;
    match language::parse(&text, form) {
        Ok(_) => Ok(text),
        Err(place) => Err(Failure::Local(format!("{}: no policy of this kind: {place}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_assume_a_role() {
        for (given, principal) in [
            ("1234567890123456", "acs:ram::1234567890123456:root"),
            ("acs:ram::1234567890123456:user/ci", "acs:ram::1234567890123456:user/ci"),
        ] {
            let document = trust(given).ok().unwrap();
            assert!(document.contains(&format!("\"{principal}\"")), "{document}");
            assert!(language::parse(&document, Form::Trust).is_ok());
        }
        assert!(matches!(trust("missing.json"), Err(Failure::Local(text)) if text.contains("missing.json")));
    }
}
