//! From flags and environment to a client.

use std::env;

use jomae_client::api::{Client, Settings};
use jomae_crypto::secret::SecretBytes;

use crate::{args::Connection, output::Failure};

/// A client for the service that flags and environment name.
pub fn client(connection: &Connection) -> Result<Client, Failure> {
    let missing = |what: &str| {
        Failure::Usage(format!(
            "{what} is not set; in the shell that starts jomae, source the service's file first: . ./jomae-data/env"
        ))
    };
    let endpoint = connection.endpoint.clone().ok_or_else(|| missing("JOMAE_ENDPOINT (or --endpoint)"))?;
    let credential = |name: &str| env::var(name).map_err(|_| missing(name));
    let access_key_id = credential("ALIBABA_CLOUD_ACCESS_KEY_ID")?;
    let access_key_secret = SecretBytes::new(credential("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?.into_bytes());
    let region = connection.region.clone().unwrap_or_else(|| "cn-hangzhou".to_owned());
    let ca_file = connection.ca_file.clone();
    let security_token = connection.security_token.clone().filter(|token| !token.is_empty());
    Ok(Client::new(Settings { endpoint, ca_file, region, access_key_id, access_key_secret, security_token })?)
}

/// The access key that calls.
pub fn access_key_id() -> Result<String, Failure> {
    const NAME: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
    env::var(NAME).map_err(|_| Failure::Usage(format!("{NAME} is not set")))
}

/// Runs one future to its end.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Local(format!("the runtime: {error}")))?
        .block_on(future)
}
