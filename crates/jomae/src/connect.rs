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
    let given = |value: &Option<String>, name: &str| value.clone().map(|text| clean(name, text)).transpose();
    let endpoint = given(&connection.endpoint, ENDPOINT)?.ok_or_else(|| missing(ENDPOINT))?;
    if endpoint.starts_with(':') || endpoint.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::Usage(format!("{ENDPOINT} {endpoint:?} names no host: https://localhost:8443 would")));
    }
    // The service speaks nothing else.
    let endpoint = if endpoint.contains("://") { endpoint } else { format!("https://{endpoint}") };
    let credential = |name: &str| variable(name)?.ok_or_else(|| missing(name));
    let access_key_id = credential(ACCESS_KEY_ID)?;
    let access_key_secret = SecretBytes::new(credential("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?.into_bytes());
    let region = given(&connection.region, "JOMAE_REGION (or --region)")?.unwrap_or_else(|| REGION_DEFAULT.to_owned());
    let ca_file = given(&connection.ca_file, "JOMAE_CA_FILE (or --ca-file)")?;
    let security_token = given(&connection.security_token, "ALIBABA_CLOUD_SECURITY_TOKEN (or --security-token)")?
        .filter(|token| !token.is_empty());
    Ok(Client::new(Settings { endpoint, ca_file, region, access_key_id, access_key_secret, security_token })?)
}

const ENDPOINT: &str = "JOMAE_ENDPOINT (or --endpoint)";
/// As of `jomae serve`.
const REGION_DEFAULT: &str = "cn-hangzhou";
const ACCESS_KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";

/// The access key that calls.
pub fn access_key_id() -> Result<String, Failure> {
    variable(ACCESS_KEY_ID)?.ok_or_else(|| Failure::Usage(format!("{ACCESS_KEY_ID} is not set")))
}

/// A variable of the environment, if it is set.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) => clean(name, value).map(Some),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::Usage(format!("{name} is not text"))),
    }
}

/// A setting without the line ends behind it, which come with a mounted secret or a file. `name` is how it is given; of
/// its value, which may be a secret, nothing is told.
fn clean(name: &str, mut value: String) -> Result<String, Failure> {
    value.truncate(value.trim_end_matches(['\r', '\n']).len());
    if value.contains(char::is_control) {
        return Err(Failure::Usage(format!("{name} holds a control character, such as a line end within it")));
    }
    Ok(value)
}

/// Runs one future to its end.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Local(format!("the runtime: {error}")))?
        .block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_behind_a_setting_are_dropped_and_other_control_characters_are_refused() {
        for (given, kept) in [("a", "a"), ("a\n", "a"), ("a\r\n\n", "a"), (" a b ", " a b "), ("", ""), ("\n", "")] {
            assert!(matches!(clean("NAME", given.to_owned()), Ok(value) if value == kept), "{given:?}");
        }
        for given in ["secret\nmore", "\nsecret", "secret\t", "sec\0ret", "secret\u{7f}", "secret\u{85}"] {
            let Err(Failure::Usage(text)) = clean("NAME", given.to_owned()) else { panic!("{given:?} was taken") };
            assert!(text.starts_with("NAME ") && !text.contains("sec"), "{text}");
        }
    }
}
