//! `jomae key` and `jomae alias`.

use jomae_client::api::{CallError, Client};
use serde_json::{Value, json};

use crate::{
    args::{Alias, Connection, Key, OutputForm},
    connect::{block_on, client},
    import,
    output::{self, Failure},
};

/// Rows fetched at once.
const PAGE_SIZE: &str = "100";

pub fn key(connection: &Connection, command: Key) -> Result<(), Failure> {
    if let Key::Wrap { public_key, material, algorithm } = &command {
        return import::wrap(public_key, material, algorithm);
    }
    let client = client(connection)?;
    let form = connection.output;
    block_on(async move {
        match command {
            Key::Create { .. } => create(&client, form, &command).await,
            Key::Import { key, material, expires, wrapping, algorithm } => {
                import::import(&client, &key, &material, expires, &wrapping, algorithm.as_deref()).await
            }
            Key::Wrap { public_key, material, algorithm } => import::wrap(&public_key, &material, &algorithm),
            Key::Rotate { key } => {
                let answer = client.call("CreateKeyVersion", &[("KeyId", &key)]).await?;
                output::answer(form, &answer)
            }
            Key::Versions { key } => {
                let rows = pages(&client, "ListKeyVersions", &[("KeyId", &key)], "/KeyVersions/KeyVersion").await?;
                show(form, &["VERSION", "CREATED"], &["KeyVersionId", "CreationDate"], rows)
            }
            Key::Usage { key } => usage(&client, form, &key).await,
            Key::List { state } => list(&client, form, state).await,
            Key::Describe { key } => {
                let answer = client.call("DescribeKey", &[("KeyId", &key)]).await?;
                output::answer(form, &answer)
            }
            Key::SetDescription { key, description } => {
                quiet(&client, "UpdateKeyDescription", &[("KeyId", &key), ("Description", &description)]).await
            }
            Key::Enable { key } => quiet(&client, "EnableKey", &[("KeyId", &key)]).await,
            Key::Disable { key } => quiet(&client, "DisableKey", &[("KeyId", &key)]).await,
            Key::ScheduleDeletion { key, days } => {
                warn_of_use(&client, &key).await?;
                let days = days.to_string();
                client.call("ScheduleKeyDeletion", &[("KeyId", &key), ("PendingWindowInDays", &days)]).await?;
                let answer = client.call("DescribeKey", &[("KeyId", &key)]).await?;
                output::answer(form, &answer)
            }
            Key::CancelDeletion { key } => quiet(&client, "CancelKeyDeletion", &[("KeyId", &key)]).await,
            Key::Protect { key, reason } => {
                let params = [
                    ("KeyId", key.as_str()),
                    ("EnableDeletionProtection", "true"),
                    ("DeletionProtectionDescription", reason.as_str()),
                ];
                quiet(&client, "SetDeletionProtection", &params).await
            }
            Key::Unprotect { key } => {
                quiet(&client, "SetDeletionProtection", &[("KeyId", &key), ("EnableDeletionProtection", "false")]).await
            }
        }
    })
}

pub fn alias(connection: &Connection, command: Alias) -> Result<(), Failure> {
    let client = client(connection)?;
    let form = connection.output;
    block_on(async move {
        match command {
            Alias::Create { alias, key } => {
                quiet(&client, "CreateAlias", &[("AliasName", &alias), ("KeyId", &key)]).await
            }
            Alias::Update { alias, key } => {
                quiet(&client, "UpdateAlias", &[("AliasName", &alias), ("KeyId", &key)]).await
            }
            Alias::Delete { alias } => quiet(&client, "DeleteAlias", &[("AliasName", &alias)]).await,
            Alias::List { key } => {
                let (action, key) = match &key {
                    Some(key) => ("ListAliasesByKeyId", vec![("KeyId", key.as_str())]),
                    None => ("ListAliases", Vec::new()),
                };
                let rows = pages(&client, action, &key, "/Aliases/Alias").await?;
                show(form, &["ALIAS", "KEY"], &["AliasName", "KeyId"], rows)
            }
        }
    })
}

async fn quiet(client: &Client, action: &str, params: &[(&str, &str)]) -> Result<(), Failure> {
    client.call(action, params).await?;
    Ok(())
}

/// Shows the counts of a key.
async fn usage(client: &Client, form: Option<OutputForm>, key: &str) -> Result<(), Failure> {
    let answer = client.call("DescribeKey", &[("KeyId", key)]).await?;
    match answer.get("UsageStatistics") {
        Some(statistics) => output::answer(Some(form.unwrap_or(OutputForm::Table)), statistics),
        None => output::line("never used"),
    }
}

/// Before a key is condemned, tells when it was used last. The counts are a few seconds behind.
async fn warn_of_use(client: &Client, key: &str) -> Result<(), Failure> {
    let answer = client.call("DescribeKey", &[("KeyId", key)]).await?;
    let text = |at: &str| answer.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let note = match (text("/UsageStatistics/LastUsed"), text("/UsageStatistics/LastUsedBy")) {
        (Some(last), by) => format!("used last at {last} by {}", by.unwrap_or_default()),
        (None, _) => "never used".to_owned(),
    };
    output::note(&format!("{key}: {note}"));
    Ok(())
}

async fn create(client: &Client, form: Option<OutputForm>, command: &Key) -> Result<(), Failure> {
    let Key::Create { description, alias, rotate_every, spec, usage, external } = command else {
        return Err(Failure::Usage("not a creation".into()));
    };
    let alias = alias.as_deref();
    let mut params = vec![("Description", description.as_str())];
    if let Some(interval) = rotate_every {
        params.extend([("EnableAutomaticRotation", "true"), ("RotationInterval", interval)]);
    }
    params.extend(spec.as_deref().map(|spec| ("KeySpec", spec)));
    params.extend(usage.as_deref().map(|usage| ("KeyUsage", usage)));
    params.extend(external.then_some(("Origin", "EXTERNAL")));
    // Before the key is made: a name that is taken would leave a key without one.
    if let Some(alias) = alias {
        match client.call("DescribeKey", &[("KeyId", alias)]).await {
            Ok(_) => return Err(Failure::Local(format!("{alias} names another key; no key was made"))),
            Err(error) if is_invalid(&error) => return Err(error.into()),
            Err(_) => {}
        }
    }
    let answer = client.call("CreateKey", &params).await?;
    let id = answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str).unwrap_or_default();
    if let Some(alias) = alias
        && let Err(error) = client.call("CreateAlias", &[("AliasName", alias), ("KeyId", id)]).await
    {
        return Err(Failure::Local(format!("the key {id} was made, but not its alias: {error}")));
    }
    match form {
        None => output::line(id),
        form => output::answer(form, &answer),
    }
}

fn is_invalid(error: &CallError) -> bool {
    matches!(error, CallError::Refused { code, .. } if code == "InvalidParameter")
}

async fn list(client: &Client, form: Option<OutputForm>, state: Option<String>) -> Result<(), Failure> {
    let filters = state.map(|state| json!([{"Key": "KeyState", "Values": [state]}]).to_string());
    let params: Vec<(&str, &str)> = filters.iter().map(|filters| ("Filters", filters.as_str())).collect();
    let keys = pages(client, "ListKeys", &params, "/Keys/Key").await?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let id = key.get("KeyId").and_then(Value::as_str).unwrap_or_default();
        let answer = client.call("DescribeKey", &[("KeyId", id)]).await?;
        rows.push(answer.get("KeyMetadata").cloned().unwrap_or(key));
    }
    let members = ["KeyId", "KeyState", "CreationDate", "Description"];
    show(form, &["KEY", "STATE", "CREATED", "DESCRIPTION"], &members, rows)
}

/// All rows of a paged list.
async fn pages(client: &Client, action: &str, params: &[(&str, &str)], rows_at: &str) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for number in 1u32.. {
        let number = number.to_string();
        let mut params = params.to_vec();
        params.extend([("PageSize", PAGE_SIZE), ("PageNumber", &number)]);
        let mut answer = client.call(action, &params).await?;
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

fn show(form: Option<OutputForm>, head: &[&str], members: &[&str], rows: Vec<Value>) -> Result<(), Failure> {
    if form == Some(OutputForm::Json) {
        return output::answer(form, &Value::Array(rows));
    }
    let cell = |row: &Value, member: &&str| row.get(*member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| members.iter().map(|member| cell(row, member)).collect()).collect();
    output::table(head, &rows)
}
