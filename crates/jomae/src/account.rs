//! `jomae account`: what the operator does on a data directory, whether its service runs or not.

use std::{fs::File, io::Read as _, path::Path};

use jomae_server::{
    bootstrap::env_path,
    config::Config,
    operator::{self, NewKey, OperatorError},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    args::{Account, ConfigArgs, Show},
    confirm,
    connect::block_on,
    env_file::{Credential, EnvFile},
    output::{self, Failure},
    serve, show,
};

/// Largest `env` file of a service that is read, in bytes.
const ENV_BYTES_MAX: u64 = 64 * 1024;

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
pub fn failure(error: OperatorError) -> Failure {
    match error {
        OperatorError::Socket(..) | OperatorError::NotReachable(_) | OperatorError::NoNode(_) => {
            Failure::Service(error.to_string())
        }
        OperatorError::Start(_) | OperatorError::Refused(_) | OperatorError::Unsure(_) => {
            Failure::Local(error.to_string())
        }
    }
}

pub fn run(show: &Show, command: &Account) -> Result<(), Failure> {
    match command {
        Account::Create { name, env_file, config } => {
            let config = serve::config(config)?;
            make(show, &config, env_file.as_deref(), operator::create_account(&config, name))
        }
        Account::Key { account, env_file, config } => {
            let config = serve::config(config)?;
            make(show, &config, env_file.as_deref(), operator::create_key(&config, account))
        }
        Account::Rename { account, name, config } => {
            let config = serve::config(config)?;
            block_on(async { operator::rename_account(&config, account, name).await.map_err(failure) })
        }
        Account::Disable { account, config } => set_disabled(account, true, config),
        Account::Enable { account, config } => set_disabled(account, false, config),
        Account::Delete { account, confirmed, config } => {
            let config = serve::config(config)?;
            confirm::loss(
                confirmed.yes,
                &format!("the account {account} will be gone for good, with its users and roles"),
            )?;
            block_on(async { operator::delete_account(&config, account).await.map_err(failure) })
        }
        Account::List { config } => {
            let config = serve::config(config)?;
            let listed = block_on(async { operator::list_accounts(&config).await.map_err(failure) })?;
            list(show, &listed)
        }
    }
}

fn set_disabled(account: &str, disabled: bool, config: &ConfigArgs) -> Result<(), Failure> {
    let config = serve::config(config)?;
    block_on(async { operator::set_account_disabled(&config, account, disabled).await.map_err(failure) })
}

fn list(show: &Show, listed: &Value) -> Result<(), Failure> {
    let rows = listed.get("accounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cell = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let row = |row: &Value| json!({"Account": cell(row, "account"), "Created": cell(row, "created"), "State": cell(row, "state"), "Name": cell(row, "name")});
    show::list(
        show,
        &["ACCOUNT", "STATE", "CREATED", "NAME"],
        &["Account", "State", "Created", "Name"],
        rows.iter().map(row).collect(),
    )
}

/// Makes a key and hands it over: to a file that is there before the key is, or to standard output.
fn make(
    show: &Show,
    config: &Config,
    env_file: Option<&Path>,
    made: impl Future<Output = Result<NewKey, OperatorError>>,
) -> Result<(), Failure> {
    let Some(path) = env_file else {
        let key = block_on(async { made.await.map_err(failure) })?;
        return show_key(show, &key);
    };
    let file = EnvFile::create(path)?;
    match block_on(async { made.await.map_err(failure) }) {
        Ok(key) => {
            let parts = key.parts().map_err(failure)?;
            let credential = Credential {
                access_key_id: parts.access_key_id,
                access_key_secret: parts.access_key_secret,
                security_token: None,
            };
            let (account, shown) = (parts.account, path.display());
            file.fill(&service_lines(&env_path(&config.data_dir)), &credential).map_err(|error| {
                Failure::Local(format!(
                    "{shown}: {error}; account {account} was made, but its key is lost: jomae account key {account}"
                ))
            })?;
            output::line(&format!("account {account}; its access key is in {shown}"))
        }
        Err(failure) => Err(failure),
    }
}

fn show_key(show: &Show, key: &NewKey) -> Result<(), Failure> {
    let parts = key.parts().map_err(failure)?;
    let answer = json!({
        "Account": parts.account,
        "AccessKeyId": parts.access_key_id,
        "AccessKeySecret": parts.access_key_secret,
    });
    let text = Zeroizing::new(format!(
        "account            {}\naccess key id      {}\naccess key secret  {}\n",
        parts.account, parts.access_key_id, parts.access_key_secret
    ));
    show::told(show, &answer, text.trim_end())
}

/// The lines of the service's file that are not of its first account.
fn service_lines(path: &Path) -> String {
    let mut text = Zeroizing::new(String::new());
    if let Ok(file) = File::open(path) {
        // What cannot be read is left out: the key alone is good too.
        let _ = file.take(ENV_BYTES_MAX).read_to_string(&mut text);
    }
    text.lines().filter(|line| line.starts_with("export JOMAE_")).flat_map(|line| [line, "\n"]).collect()
}
