//! `jomae key` and `jomae alias`.

use std::collections::BTreeMap;

use jomae_api::time::Timestamp;
use jomae_client::api::{CallError, Client};
use serde_json::{Value, json};

use crate::{
    args::{Alias, Key, Remote, Show},
    confirm,
    connect::{block_on, client},
    explain::call,
    import, names,
    output::{self, Failure},
    show, times,
};

/// Rows fetched at once.
const PAGE_SIZE: &str = "100";

pub fn key(remote: &Remote, command: Key) -> Result<(), Failure> {
    if let Key::Wrap { public_key, material, algorithm } = &command {
        return import::wrap(public_key, material, algorithm);
    }
    let client = client(&remote.connection)?;
    let show = &remote.show;
    block_on(async move {
        match command {
            Key::Create { .. } => create(&client, show, &command).await,
            Key::Import { key, material, expires, wrapping, algorithm } => {
                import::import(
                    &client,
                    &names::key(&key)?,
                    &material,
                    expires.as_deref(),
                    &wrapping,
                    algorithm.as_deref(),
                )
                .await
            }
            Key::Wrap { public_key, material, algorithm } => import::wrap(&public_key, &material, &algorithm),
            Key::Rotate { key } => {
                let answer = call(&client, "CreateKeyVersion", &[("KeyId", &id(&client, &key).await?)]).await?;
                show::answer(show, &answer)
            }
            Key::Versions { key } => {
                let key = id(&client, &key).await?;
                let rows = pages(&client, "ListKeyVersions", &[("KeyId", &key)], "/KeyVersions/KeyVersion").await?;
                show::list(show, &["VERSION", "CREATED"], &["KeyVersionId", "CreationDate"], rows)
            }
            Key::Usage { key } => usage(&client, show, &names::key(&key)?).await,
            Key::List { state, long } => list(&client, show, state.as_deref(), long).await,
            Key::Describe { key } => describe(&client, show, &names::key(&key)?).await,
            Key::SetDescription { key, description } => {
                let key = id(&client, &key).await?;
                quiet(&client, "UpdateKeyDescription", &[("KeyId", &key), ("Description", &description)]).await
            }
            Key::Enable { key } => quiet(&client, "EnableKey", &[("KeyId", &id(&client, &key).await?)]).await,
            Key::Disable { key } => quiet(&client, "DisableKey", &[("KeyId", &id(&client, &key).await?)]).await,
            Key::ScheduleDeletion { key, days, confirmed } => {
                let key = id(&client, &key).await?;
                let used = last_use(&client, &key).await?;
                output::note(&format!("{key}: {used}"));
                confirm::loss(confirmed.yes, &format!("the key {key} will be destroyed in {days} days"))?;
                let days = days.to_string();
                call(&client, "ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", &days)]).await?;
                describe(&client, show, &key).await
            }
            Key::CancelDeletion { key } => {
                quiet(&client, "CancelKeyDeletion", &[("KeyId", &id(&client, &key).await?)]).await
            }
            Key::Protect { key, reason } => {
                let params = [
                    ("KeyId", &*id(&client, &key).await?),
                    ("EnableDeletionProtection", "true"),
                    ("DeletionProtectionDescription", reason.as_str()),
                ];
                quiet(&client, "SetDeletionProtection", &params).await
            }
            Key::Unprotect { key } => {
                let key = id(&client, &key).await?;
                quiet(&client, "SetDeletionProtection", &[("KeyId", &key), ("EnableDeletionProtection", "false")]).await
            }
        }
    })
}

pub fn alias(remote: &Remote, command: Alias) -> Result<(), Failure> {
    let client = client(&remote.connection)?;
    let show = &remote.show;
    block_on(async move {
        match command {
            Alias::Create { alias, key } => {
                let (alias, key) = (names::new_alias(&alias)?, id(&client, &key).await?);
                quiet(&client, "CreateAlias", &[("AliasName", &alias), ("KeyId", &key)]).await
            }
            Alias::Update { alias, key } => {
                let (alias, key) = (names::alias(&alias)?, id(&client, &key).await?);
                quiet(&client, "UpdateAlias", &[("AliasName", &alias), ("KeyId", &key)]).await
            }
            Alias::Delete { alias } => quiet(&client, "DeleteAlias", &[("AliasName", &names::alias(&alias)?)]).await,
            Alias::List { key } => {
                let key = match &key {
                    Some(key) => Some(id(&client, key).await?),
                    None => None,
                };
                let (action, key) = match &key {
                    Some(key) => ("ListAliasesByKeyId", vec![("KeyId", key.as_str())]),
                    None => ("ListAliases", Vec::new()),
                };
                let rows = pages(&client, action, &key, "/Aliases/Alias").await?;
                show::list(show, &["ALIAS", "KEY"], &["AliasName", "KeyId"], rows)
            }
        }
    })
}

/// The ID of a key, where the API takes no alias; a full name stays one.
async fn id(client: &Client, given: &str) -> Result<String, Failure> {
    let name = names::key(given)?;
    if !jomae_api::names::AliasName::is_meant(&name) {
        return Ok(name);
    }
    let answer = call(client, "DescribeKey", &[("KeyId", &name)]).await?;
    Ok(answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str).unwrap_or(given).to_owned())
}

async fn quiet(client: &Client, action: &str, params: &[(&str, &str)]) -> Result<(), Failure> {
    call(client, action, params).await.map(drop)
}

/// Shows the counts of a key.
async fn usage(client: &Client, show: &Show, key: &str) -> Result<(), Failure> {
    let answer = call(client, "DescribeKey", &[("KeyId", key)]).await?;
    match answer.get("UsageStatistics") {
        Some(statistics) => show::answer(show, statistics),
        None => output::line("never used"),
    }
}

/// Before a key is condemned, tells when it was used last. The counts are a few seconds behind.
async fn last_use(client: &Client, key: &str) -> Result<String, Failure> {
    let answer = call(client, "DescribeKey", &[("KeyId", key)]).await?;
    let text = |at: &str| answer.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Ok(match (text("/UsageStatistics/LastUsed"), text("/UsageStatistics/LastUsedBy")) {
        (Some(last), by) => format!("used last at {last} by {}", by.unwrap_or_default()),
        (None, _) => "never used".to_owned(),
    })
}

async fn create(client: &Client, show: &Show, command: &Key) -> Result<(), Failure> {
    let Key::Create { description, alias, rotate_every, spec, usage, protection_level, external } = command else {
        return Err(Failure::Usage("not a creation".into()));
    };
    // Before the key is made: a name that is taken, or is none, would leave a key without one.
    let alias = alias.as_deref().map(names::new_alias).transpose()?;
    let alias = alias.as_deref();
    let mut params = vec![("Description", description.as_str())];
    let interval = rotate_every.as_deref().map(times::seconds).transpose()?.map(|secs| format!("{secs}s"));
    if let Some(interval) = &interval {
        params.extend([("EnableAutomaticRotation", "true"), ("RotationInterval", interval)]);
    }
    params.extend(spec.as_deref().map(|spec| ("KeySpec", spec)));
    params.extend(usage.as_deref().map(|usage| ("KeyUsage", usage)));
    params.extend(protection_level.as_deref().map(|level| ("ProtectionLevel", level)));
    params.extend(external.then_some(("Origin", "EXTERNAL")));
    if let Some(alias) = alias {
        match client.call("DescribeKey", &[("KeyId", alias)]).await {
            Ok(_) => return Err(Failure::Local(format!("{alias} names another key; no key was made"))),
            // Whoever may not look may still make both.
            Err(CallError::Refused { code, .. }) if code.starts_with("Forbidden.") => {}
            Err(error) => return Err(error.into()),
        }
    }
    let answer = call(client, "CreateKey", &params).await?;
    let id = answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str).unwrap_or_default();
    if let Some(alias) = alias
        && let Err(error) = client.call("CreateAlias", &[("AliasName", alias), ("KeyId", id)]).await
    {
        return Err(Failure::Local(format!("the key {id} was made, but not its alias: {error}")));
    }
    show::told(show, &answer, id)
}

/// A key with its aliases, if the caller may list them.
async fn describe(client: &Client, show: &Show, key: &str) -> Result<(), Failure> {
    let mut answer = call(client, "DescribeKey", &[("KeyId", key)]).await?;
    let id = answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str).unwrap_or(key).to_owned();
    let aliases = if_permitted(pages(client, "ListAliasesByKeyId", &[("KeyId", &id)], "/Aliases/Alias").await)?;
    if let (Some(aliases), Some(members)) = (aliases, answer.as_object_mut()) {
        let names = aliases.iter().filter_map(|row| row.get("AliasName").cloned()).collect();
        members.insert("Aliases".into(), Value::Array(names));
    }
    show::answer(show, &answer)
}

fn if_permitted<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Call(CallError::Refused { code, .. })) if code == "Forbidden.NoPermission" => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// As the API writes them.
pub const STATES: [&str; 4] = ["Enabled", "Disabled", "PendingDeletion", "PendingImport"];

/// Lists keys by a handful of calls, however many keys there are: which there are, which are in each state, and all
/// aliases. `long` asks about each key too, and each time writes an event.
async fn list(client: &Client, show: &Show, state: Option<&str>, long: bool) -> Result<(), Failure> {
    if let Some(state) = state
        && !STATES.contains(&state)
    {
        let meant = names::nearest(state, STATES).map_or_else(String::new, |meant| format!("; is {meant} meant?"));
        return Err(Failure::Usage(format!("{state:?} is no state: {}{meant}", STATES.join(", "))));
    }
    let mut rows = if let Some(state) = state { in_state(client, state).await? } else { with_states(client).await? };
    if rows.is_empty() {
        return show::list(show, &["KEY", "STATE", "CREATED", "ALIASES"], &[], rows);
    }
    let mut aliases = BTreeMap::<String, Vec<String>>::new();
    match if_permitted(pages(client, "ListAliases", &[], "/Aliases/Alias").await)? {
        Some(all) => {
            for row in &all {
                aliases.entry(text(row, "KeyId")).or_default().push(text(row, "AliasName"));
            }
        }
        None => output::note("aliases are not shown: no permission to list them"),
    }
    for row in &mut rows {
        let id = text(row, "KeyId");
        if long {
            let answer = call(client, "DescribeKey", &[("KeyId", &id)]).await?;
            *row = answer.get("KeyMetadata").cloned().unwrap_or_default();
        } else {
            *row = with(row, "CreationDate", &created(&id));
        }
        if let Some(members) = row.as_object_mut() {
            members.insert("Aliases".into(), json!(aliases.remove(&id).unwrap_or_default()));
        }
    }
    if long {
        let members = ["KeyId", "KeyState", "CreationDate", "KeySpec", "Aliases", "Description"];
        return show::list(show, &["KEY", "STATE", "CREATED", "SPEC", "ALIASES", "DESCRIPTION"], &members, rows);
    }
    show::list(show, &["KEY", "STATE", "CREATED", "ALIASES"], &["KeyId", "KeyState", "CreationDate", "Aliases"], rows)
}

/// All keys with their states. One whose state changes meanwhile may be found in none.
async fn with_states(client: &Client) -> Result<Vec<Value>, Failure> {
    let keys = pages(client, "ListKeys", &[], "/Keys/Key").await?;
    if keys.is_empty() {
        return Ok(keys);
    }
    let mut states = BTreeMap::new();
    for state in STATES {
        states.extend(in_state(client, state).await?.iter().map(|row| (text(row, "KeyId"), state)));
    }
    let state_of = |row: &Value| states.get(&text(row, "KeyId")).copied().unwrap_or("-");
    Ok(keys.iter().map(|row| with(row, "KeyState", state_of(row))).collect())
}

async fn in_state(client: &Client, state: &str) -> Result<Vec<Value>, Failure> {
    let filters = json!([{"Key": "KeyState", "Values": [state]}]).to_string();
    let keys = pages(client, "ListKeys", &[("Filters", &filters)], "/Keys/Key").await?;
    Ok(keys.iter().map(|row| with(row, "KeyState", state)).collect())
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn with(row: &Value, name: &str, value: &str) -> Value {
    let mut row = row.clone();
    if let Some(members) = row.as_object_mut() {
        members.insert(name.into(), value.into());
    }
    row
}

/// When a key was made, which its ID begins with (UUID version 7, in milliseconds).
fn created(id: &str) -> String {
    let digits: String = id.chars().filter(|&c| c != '-').collect();
    let is_v7 = id.len() == 36 && digits.as_bytes().get(12) == Some(&b'7');
    let millis = digits.get(..12).and_then(|millis| i64::from_str_radix(millis, 16).ok());
    match millis.filter(|_| is_v7) {
        Some(millis) => Timestamp(millis / 1000).to_string(),
        None => "-".to_owned(),
    }
}

/// All rows of a paged list.
async fn pages(client: &Client, action: &str, params: &[(&str, &str)], rows_at: &str) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for number in 1u32.. {
        let number = number.to_string();
        let mut params = params.to_vec();
        params.extend([("PageSize", PAGE_SIZE), ("PageNumber", &number)]);
        let mut answer = call(client, action, &params).await?;
        let Some(Value::Array(rows)) = answer.pointer_mut(rows_at).map(Value::take) else { break };
        if rows.is_empty() {
            break;
        }
        all.extend(rows);
        if answer.get("TotalCount").and_then(Value::as_u64).is_some_and(|total| all.len() as u64 >= total) {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_says_when_the_key_was_made() {
        // RFC 9562, appendix A.6.
        assert_eq!(created("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), "2022-02-22T19:22:22Z");
        assert_eq!(created("05754286-3ba2-4fa6-8d41-4323aca6e5fd"), "-");
        assert_eq!(created("short"), "-");
    }
}
