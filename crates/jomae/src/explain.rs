//! Refusals of the service, explained from the declarations: the service itself says no more than which parameter.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::{
    action::ActionSpec,
    actions,
    limits::PLAINTEXT_BYTES_MAX,
    param::{Kind, ParamInfo},
};
use jomae_client::api::{CallError, Client};
use serde_json::Value;

use crate::{names, output::Failure};

/// What it can be if a ciphertext does not open. The service does not tell, so that nobody can try.
pub const UNREADABLE: &str = "Either it is damaged or no ciphertext of this service, or the encryption context is not the one it was encrypted with";

/// Calls an action. A refusal says what would have been right, as far as the declaration knows.
pub async fn call(client: &Client, action: &str, params: &[(&str, &str)]) -> Result<Value, Failure> {
    client.call(action, params).await.map_err(|error| explained(error, action, params, Some(client.region())).into())
}

/// A refusal with what is known of it here.
pub fn explained(error: CallError, action: &str, params: &[(&str, &str)], region: Option<&str>) -> CallError {
    match error {
        CallError::Refused { status, code, mut message, request_id, denied } => {
            if let Some(hint) = hint(&code, &message, action, params, region) {
                message = format!("{} {hint}", message.trim_end());
            }
            CallError::Refused { status, code, message, request_id, denied }
        }
        other => other,
    }
}

/// What to do about a connection that was not made, from its cause.
pub fn no_connection(cause: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 8] = [
        (
            "UnknownIssuer",
            "The certificate is of an authority that is not trusted here: JOMAE_CA_FILE (or --ca-file) names the file of \
             the service's own, which is tls/ca.pem in its data directory",
        ),
        ("NotValidForName", "The certificate is for other names: call the service by one of them"),
        ("Expired", "The certificate has run out, or the clock here is wrong"),
        ("NotValidYet", "The certificate begins later, or the clock here is wrong"),
        ("InvalidContentType", "This port does not speak TLS: is it that of health and metrics?"),
        ("refused", "Does the service run, and on this port? jomae serve starts it"),
        ("lookup", "The name of the host is not known here"),
        ("timed out", "Something between here and there drops the packets, or the service is overloaded"),
    ];
    HINTS.iter().find(|(part, _)| cause.contains(part)).map(|(_, hint)| *hint)
}

/// The actions that are known here, nearest first of all.
pub fn action_meant(given: &str) -> Option<&'static str> {
    names::nearest(given, actions::ACTIONS.iter().map(|spec| spec.name))
}

fn hint(code: &str, message: &str, action: &str, params: &[(&str, &str)], region: Option<&str>) -> Option<String> {
    if code.starts_with("InvalidAction") {
        let meant = action_meant(action).map_or_else(String::new, |meant| format!("Is {meant} meant? "));
        return Some(format!("{meant}jomae call --list shows all actions"));
    }
    let named = message.split('"').nth(1)?;
    let given = params.iter().find(|(name, _)| *name == named).map(|(_, value)| *value);
    if named == "RegionId" && code == "InvalidParameter" {
        let region = given.or(region).map_or_else(|| "that is named".to_owned(), str::to_owned);
        return Some(format!(
            "The service does not serve the region {region}, or the endpoint is that of another one: --region names \
             one, jomae call DescribeRegions lists them"
        ));
    }
    if named == "CiphertextBlob" && action.is_empty() {
        return Some(format!("{UNREADABLE} (--context)"));
    }
    let param = declared(actions::find(action)?, named)?;
    match code {
        "InvalidParameter" => Some(invalid(action, param, given)),
        "MissingParameter" => Some(format!("It takes {}", param.limits())),
        _ => None,
    }
}

fn declared(spec: &ActionSpec, name: &str) -> Option<&'static dyn ParamInfo> {
    let base = name.split('.').next().unwrap_or(name);
    spec.params.iter().map(|used| used.param).find(|param| param.name() == base)
}

/// What is wrong with a value. Of the value itself, which may be a secret, nothing is told but its length.
fn invalid(action: &str, param: &dyn ParamInfo, given: Option<&str>) -> String {
    let accepted = given.is_some_and(|given| param.accepts(given));
    if accepted && param.name() == "CiphertextBlob" {
        return UNREADABLE.to_owned();
    }
    let Some(given) = given.filter(|_| !accepted) else {
        // It has the right form, and names nothing, or does not fit the rest.
        return format!("It takes {}", param.limits());
    };
    let given_is = match (param.kind(), STANDARD.decode(given)) {
        (Kind::Base64, Ok(bytes)) if action == "Encrypt" && bytes.len() > PLAINTEXT_BYTES_MAX => {
            let bytes = bytes.len();
            return format!("{bytes} bytes; Encrypt takes {PLAINTEXT_BYTES_MAX}; for more: jomae file encrypt");
        }
        (Kind::Base64, Ok(bytes)) => format!("{} byte(s) in Base64", bytes.len()),
        (Kind::Base64, Err(_)) => format!("{} character(s) that are no Base64", given.chars().count()),
        _ => format!("{} character(s)", given.chars().count()),
    };
    let words = param.limits().split([' ', ',', ';', '(', ')']).filter(|word| word.len() > 2);
    let meant = names::nearest(given, words).filter(|word| param.accepts(word));
    let meant = meant.map_or_else(String::new, |meant| format!("; is {meant} meant?"));
    format!("It takes {}; given were {given_is}{meant}", param.limits())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str, message: &str, action: &str, params: &[(&str, &str)]) -> String {
        hint(code, message, action, params, Some("cn-beijing")).unwrap_or_default()
    }

    #[test]
    fn what_keeps_a_connection_from_being_made() {
        for (cause, word) in [
            ("invalid peer certificate: UnknownIssuer", "JOMAE_CA_FILE"),
            ("Connection refused (os error 111)", "jomae serve"),
            ("received corrupt message of type InvalidContentType", "TLS"),
        ] {
            assert!(no_connection(cause).unwrap().contains(word), "{cause}");
        }
        assert!(no_connection("something else").is_none());
    }

    #[test]
    fn what_would_have_been_right() {
        let invalid = |name: &str| format!("The specified parameter \"{name}\" is not valid.");
        let refused =
            |action: &str, params: &[(&str, &str)]| told("InvalidParameter", &invalid(params[0].0), action, params);
        let said = refused("CreateKey", &[("KeySpec", "RSA_2O48")]);
        assert!(said.contains("given were 8 character(s); is RSA_2048 meant?"), "{said}");
        let said = refused("Encrypt", &[("Plaintext", &STANDARD.encode([0; 6145]))]);
        assert_eq!(said, "6145 bytes; Encrypt takes 6144; for more: jomae file encrypt");
        let said = refused("ScheduleKeyDeletion", &[("PendingWindowInDays", "5")]);
        assert!(said.contains("7–366") && said.contains("1 character(s)"), "{said}");
        let said = refused("Decrypt", &[("CiphertextBlob", "no base64!")]);
        assert!(said.contains("no Base64") && !said.contains("no base64!"), "{said}");
        let said = told("InvalidParameter", &invalid("RegionId"), "CreateKey", &[]);
        assert!(said.contains("cn-beijing") && said.contains("DescribeRegions"), "{said}");
        let said = told("InvalidAction.NotFound", "Specified api is not found.", "Decript", &[]);
        assert!(said.contains("Is Decrypt meant?"), "{said}");
        assert!(
            told("MissingParameter", "The parameter \"KeyId\" is needed.", "DescribeKey", &[]).contains("It takes")
        );
        assert_eq!(told("Forbidden.NoPermission", "Forbidden.", "DescribeKey", &[]), "");
        // Nothing near is offered that would be refused too.
        assert!(!refused("CreateKey", &[("KeySpec", "or")]).contains("meant"));
    }
}
