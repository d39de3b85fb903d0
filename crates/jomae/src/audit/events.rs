//! Events, as they are looked up and shown.

use jomae_api::{
    actions,
    names::{AliasName, KeyRef},
};
use jomae_client::api::{CallError, Client};
use jomae_server::gateway;
use serde_json::Value;

use crate::{
    args::{Search, Show},
    connect::{block_on, client},
    explain::call,
    names,
    output::{self, Failure},
    show, times,
};

/// Events fetched at once; the most that LookupEvents gives.
const PAGE_SIZE: &str = "50";
/// How far back a search goes that has only an end, in seconds.
const RANGE_SECS: i64 = 7 * 86_400;

/// Names of events that are no calls: sign-ins, what the service did by itself, and the operator.
const NO_ACTIONS: [&str; 34] = [
    "AcceptRollback",
    "AddRootKeySlot",
    "AdoptShreddingKey",
    "BeginAuditLog",
    "BeginRollbackDetection",
    "ConsoleSignin",
    "ConsoleSignout",
    "CreateAccount",
    "CreateAccountKey",
    "CreateBackup",
    "CreateShreddingKey",
    "DeleteAccount",
    "DeleteKey",
    "DestroyShreddingKey",
    "DisableAccount",
    "EnableAccount",
    "EscrowShreddingKeys",
    "ExpireKeyMaterial",
    "GetRootKeyStatus",
    "GetShreddingStatus",
    "ListAccounts",
    "RecoverShreddingKeys",
    "ReleaseShreddingDirectories",
    "RemoveRootKeySlot",
    "RenameAccount",
    "ReplayPolicy",
    "RestoreWithoutShreddingKeys",
    "RetireShreddingKey",
    "RotateKey",
    "RotateRootKey",
    "SetShreddingShares",
    "ShareShreddingDirectories",
    "SimulatePolicy",
    "Unknown",
];

pub fn search(search: &Search) -> Result<(), Failure> {
    if let Some(name) = &search.event_name {
        known_event(name)?;
    }
    let attributes: Vec<(&str, &String)> = [
        ("EventName", &search.event_name),
        ("User", &search.user),
        ("ResourceName", &search.key),
        ("EventAccessKeyId", &search.access_key),
        ("EventId", &search.event_id),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    .collect();
    let mut params: Vec<(String, String)> = vec![("MaxResults".into(), PAGE_SIZE.into())];
    for (index, (name, value)) in attributes.iter().enumerate() {
        if index >= 2 {
            return Err(Failure::Usage("a search takes at most two of its flags".into()));
        }
        params.push((format!("LookupAttribute.{}.Key", index + 1), (*name).to_owned()));
        params.push((format!("LookupAttribute.{}.Value", index + 1), (*value).clone()));
    }
    let (from, until) = times::range(&search.range)?;
    if from.is_some() || until.is_some() {
        let until = until.unwrap_or_else(gateway::now);
        let from = from.unwrap_or(jomae_api::time::Timestamp(until.0.saturating_sub(RANGE_SECS)));
        params.extend([("StartTime".into(), from.to_string()), ("EndTime".into(), until.to_string())]);
    }
    let client = client(&search.remote.connection)?;
    block_on(async {
        if let Some(key) = &search.key {
            let found = resource(&client, key).await?;
            if let Some(index) = attributes.iter().position(|(name, _)| *name == "ResourceName") {
                let name = format!("LookupAttribute.{}.Value", index + 1);
                params.retain(|(given, _)| *given != name);
                params.push((name, found));
            }
        }
        let show = &search.remote.show;
        let mut events = Events::new(show);
        let (mut count, mut all) = (0u64, Vec::new());
        pages(&client, &params, &mut |event| {
            count += 1;
            if show::is_for_people(show) {
                return events.show(event);
            }
            all.push(event.clone());
            Ok(())
        })
        .await?;
        if count == 0 {
            output::note("no events");
        }
        if show::is_for_people(show) { Ok(()) } else { show::answer(show, &Value::Array(all)) }
    })
}

/// A misspelt name would find nothing, which looks like an answer.
fn known_event(name: &str) -> Result<(), Failure> {
    let known = || actions::ACTIONS.iter().map(|spec| spec.name).chain(NO_ACTIONS);
    if known().any(|known| known == name) {
        return Ok(());
    }
    let meant = names::nearest(name, known()).map_or_else(String::new, |meant| format!("; is {meant} meant?"));
    Err(Failure::Usage(format!("no event is called {name:?}{meant}; jomae call --list shows all actions")))
}

/// A resource by the name that events have: of a key its ID, whatever name it was given by. What names no key now may
/// name another resource, or an alias that is gone.
async fn resource(client: &Client, given: &str) -> Result<String, Failure> {
    let Ok(name) = names::key(given) else { return Ok(given.to_owned()) };
    match KeyRef::from_wire(&name) {
        Some(KeyRef::Arn { id, .. }) => Ok(id.as_str().to_owned()),
        Some(KeyRef::Alias(_) | KeyRef::AliasArn { .. }) => {
            match client.call("DescribeKey", &[("KeyId", &name)]).await {
                Ok(answer) => {
                    let id = answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str);
                    Ok(id.unwrap_or(given).to_owned())
                }
                Err(CallError::Refused { code, .. }) if code.starts_with("Forbidden.") => {
                    if AliasName::is_meant(given) {
                        output::note(&format!(
                            "{given} is no alias that can be looked up now: events that name it follow"
                        ));
                    }
                    Ok(given.to_owned())
                }
                Err(error) => Err(error.into()),
            }
        }
        _ => Ok(given.to_owned()),
    }
}

/// Every event of a look-up, page by page.
pub async fn pages(
    client: &Client,
    params: &[(String, String)],
    each: &mut dyn FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut token: Option<String> = None;
    loop {
        let (events, next) = page(client, params, token.as_deref()).await?;
        events.iter().try_for_each(&mut *each)?;
        match next {
            Some(next) => token = Some(next),
            None => return Ok(()),
        }
    }
}

/// One page of a look-up, and the token of the next.
pub async fn page(
    client: &Client,
    params: &[(String, String)],
    token: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Failure> {
    let mut pairs: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.extend(token.map(|token| ("NextToken", token)));
    let mut answer = call(client, "LookupEvents", &pairs).await?;
    for node in answer.get("UnansweredNodes").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| node.get(name).map(Value::to_string).unwrap_or_default();
        output::note(&format!(
            "node {} did not answer: of its {} events none is shown here",
            of("Node").trim_matches('"'),
            of("Events")
        ));
    }
    let events = match answer.get_mut("Events").map(Value::take) {
        Some(Value::Array(events)) => events,
        _ => Vec::new(),
    };
    Ok((events, answer.get("NextToken").and_then(Value::as_str).map(str::to_owned)))
}

/// Events as they come: a table for people, a line of JSON each for programs.
pub struct Events<'s> {
    show: &'s Show,
    table: show::Table,
}

impl<'s> Events<'s> {
    pub fn new(show: &'s Show) -> Self {
        const HEAD: [&str; 7] = ["TIME", "EVENT", "USER", "ADDRESS", "RESULT", "RESOURCES", "EVENT ID"];
        // As wide as most, since nobody knows what comes.
        Self { show, table: show::Table::with_widths(&HEAD, &[20, 16, 12, 15, 6, 36, 36]) }
    }

    pub fn show(&mut self, event: &Value) -> Result<(), Failure> {
        if show::is_for_people(self.show) {
            return self.table.rows(std::iter::once(cells(event)));
        }
        show::event(self.show, event)
    }
}

fn cells(event: &Value) -> Vec<String> {
    let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or("-");
    let names: Vec<&str> = event
        .get("referencedResources")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|kinds| kinds.values())
        .flat_map(|names| names.as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let names = if names.is_empty() { "-".to_owned() } else { names.join(",") };
    let result = event.get("errorCode").and_then(Value::as_str).unwrap_or("ok");
    [
        text("/eventTime"),
        text("/eventName"),
        text("/userIdentity/userName"),
        text("/sourceIpAddress"),
        result,
        &names,
        text("/eventId"),
    ]
    .map(one_word)
    .to_vec()
}

/// What stands in an event was chosen by callers: it must be no columns of its own.
fn one_word(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() || c.is_whitespace() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_chose_stays_in_its_column() {
        assert_eq!(["b\nc", "\u{1b}[2J", "d e"].map(one_word), ["b\u{fffd}c", "\u{fffd}[2J", "d\u{fffd}e"]);
    }
}
