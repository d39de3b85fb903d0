//! Calls of the API that a test makes again and again.

use jomae_client::api::{CallError, Client};
use serde_json::Value;

/// A refusal of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub code: String,
    pub request_id: String,
}

/// A call that must succeed.
pub async fn ask(client: &Client, action: &str, params: &[(&str, &str)]) -> Value {
    client.call(action, params).await.unwrap_or_else(|error| panic!("{action}: {error}"))
}

/// A call that the service must refuse.
pub async fn refused(client: &Client, action: &str, params: &[(&str, &str)]) -> Refused {
    match client.call(action, params).await {
        Err(CallError::Refused { status, code, request_id, .. }) => Refused { status, code, request_id },
        Err(error) => panic!("{action}: {error}"),
        Ok(_) => panic!("{action} succeeded, although it must not"),
    }
}

/// Makes a key and tells its ID.
pub async fn create_key(client: &Client, description: &str) -> String {
    let answer = ask(client, "CreateKey", &[("Description", description)]).await;
    answer["KeyMetadata"]["KeyId"].as_str().expect("a key ID").to_owned()
}

/// Encrypts (Base64 in) and tells the ciphertext.
pub async fn encrypt(client: &Client, key: &str, plaintext: &str) -> String {
    let answer = ask(client, "Encrypt", &[("KeyId", key), ("Plaintext", plaintext)]).await;
    answer["CiphertextBlob"].as_str().expect("a ciphertext").to_owned()
}

/// Decrypts and tells the plaintext (Base64).
pub async fn decrypt(client: &Client, blob: &str) -> String {
    let answer = ask(client, "Decrypt", &[("CiphertextBlob", blob)]).await;
    answer["Plaintext"].as_str().expect("a plaintext").to_owned()
}
