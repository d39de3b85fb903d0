//! `jomae account`: what the operator does on a data directory, whether its service runs or not.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jomae_server::{
    bootstrap::env_path,
    config::Config,
    operator::{self, NewKey, OperatorError},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    args::{Account, Connection, OutputForm},
    connect::block_on,
    output::{self, Failure},
    serve,
};

/// Largest `env` file of a service that is read, in bytes.
const ENV_BYTES_MAX: u64 = 64 * 1024;

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
fn failure(error: OperatorError) -> Failure {
    Failure::Local(error.to_string())
}

pub fn run(connection: &Connection, command: &Account) -> Result<(), Failure> {
    match command {
        Account::Create { name, env_file, config } => {
            let config = serve::config(config)?;
            make(connection, &config, env_file.as_deref(), operator::create_account(&config, name))
        }
        Account::Key { account, env_file, config } => {
            let config = serve::config(config)?;
            make(connection, &config, env_file.as_deref(), operator::create_key(&config, account))
        }
        Account::List { config } => {
            let config = serve::config(config)?;
            let listed = block_on(async { operator::list_accounts(&config).await.map_err(failure) })?;
            list(connection, &listed)
        }
    }
}

fn list(connection: &Connection, listed: &Value) -> Result<(), Failure> {
    if connection.output == Some(OutputForm::Json) {
        return output::answer(connection.output, listed);
    }
    let rows = listed.get("accounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cell = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| ["account", "created", "name"].map(|name| cell(row, name)).to_vec()).collect();
    output::table(&["ACCOUNT", "CREATED", "NAME"], &rows)
}

/// Makes a key and hands it over: to a file that is there before the key is, or to standard output.
fn make(
    connection: &Connection,
    config: &Config,
    env_file: Option<&Path>,
    made: impl Future<Output = Result<NewKey, OperatorError>>,
) -> Result<(), Failure> {
    let Some(path) = env_file else {
        let key = block_on(async { made.await.map_err(failure) })?;
        return show(connection, &key);
    };
    let file = EnvFile::create(path)?;
    match block_on(async { made.await.map_err(failure) }) {
        Ok(key) => {
            let account = file.fill(config, &key)?;
            output::line(&format!("account {account}; its access key is in {}", path.display()))
        }
        Err(failure) => {
            file.remove();
            Err(failure)
        }
    }
}

fn show(connection: &Connection, key: &NewKey) -> Result<(), Failure> {
    let parts = key.parts().map_err(failure)?;
    if connection.output == Some(OutputForm::Json) {
        let answer = json!({
            "Account": parts.account,
            "AccessKeyId": parts.access_key_id,
            "AccessKeySecret": parts.access_key_secret,
        });
        return output::answer(connection.output, &answer);
    }
    let text = Zeroizing::new(format!(
        "account            {}\naccess key id      {}\naccess key secret  {}\n",
        parts.account, parts.access_key_id, parts.access_key_secret
    ));
    output::write_out(text.as_bytes())
}

/// A new file for a shell, readable by its owner alone.
struct EnvFile {
    file: File,
    path: PathBuf,
}

impl EnvFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| Failure::Local(format!("{}: {error}; no key was made", path.display())))?;
        Ok(Self { file, path: path.to_owned() })
    }

    fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }

    /// Writes the key, and what the service's own file says of where it is. Gives the account.
    fn fill(mut self, config: &Config, key: &NewKey) -> Result<String, Failure> {
        let parts = key.parts().map_err(failure)?;
        let text = Zeroizing::new(format!(
            "{}unset ALIBABA_CLOUD_SECURITY_TOKEN\nexport ALIBABA_CLOUD_ACCESS_KEY_ID={}\nexport ALIBABA_CLOUD_ACCESS_KEY_SECRET={}\n",
            service_lines(&env_path(&config.data_dir)),
            parts.access_key_id,
            parts.access_key_secret
        ));
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all()).map_err(|error| {
            Failure::Local(format!(
                "{}: {error}; account {} was made, but its key is lost: jomae account key {}",
                self.path.display(),
                parts.account,
                parts.account
            ))
        })?;
        Ok(parts.account.to_owned())
    }
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
