//! `jomae key import` and `jomae key wrap`: bring your own key, without the openssl commands that go wrong.

use std::{io::Read, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_client::api::Client;
use jomae_crypto::{
    import::{self, WrapAlg},
    pem,
    secret::SecretBytes,
};
use serde_json::Value;

use crate::{
    explain::call,
    output::{self, Failure},
    times,
};

/// Largest file of key material, in bytes: a PEM of an RSA-4096 private key with room.
const MATERIAL_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Wraps the material in a file and imports it.
pub async fn import(
    client: &Client,
    key: &str,
    material: &Path,
    expires: Option<&str>,
    wrapping: &str,
    algorithm: Option<&str>,
) -> Result<(), Failure> {
    let expires = expires.map(times::ahead).transpose()?.map(|moment| moment.0.to_string());
    let material = read(material)?;
    let algorithm = algorithm.unwrap_or_else(|| default_algorithm(wrapping, &material));
    let params = [("KeyId", key), ("WrappingKeySpec", wrapping), ("WrappingAlgorithm", algorithm)];
    let answer = call(client, "GetParametersForImport", &params).await?;
    let member = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let public_key = STANDARD
        .decode(member("PublicKey"))
        .map_err(|_| Failure::Local("the service's public key is not Base64".into()))?;
    let wrapped = wrap_to(&public_key, algorithm, &material)?;
    let token = member("ImportToken");
    let mut params = vec![("KeyId", key), ("ImportToken", &token), ("EncryptedKeyMaterial", &wrapped)];
    params.extend(expires.as_deref().map(|secs| ("KeyMaterialExpireUnix", secs)));
    call(client, "ImportKeyMaterial", &params).await?;
    output::line(&format!("{key} has its material; keep the file: only the same bytes can ever be imported again"))
}

/// Wraps the material in a file under a public key in a file, for use elsewhere.
pub fn wrap(public_key: &Path, material: &Path, algorithm: &str) -> Result<(), Failure> {
    let public_key = read(public_key)?;
    output::line(&wrap_to(public_key.expose(), algorithm, &read(material)?)?)
}

/// OAEP holds every symmetric key; a private key needs the hybrid form.
fn default_algorithm(wrapping: &str, material: &SecretBytes) -> &'static str {
    match wrapping {
        "EC_SM2" => "SM2PKE",
        _ if material.len() > 190 => "RSA_AES_KEY_WRAP_SHA_256",
        _ => "RSAES_OAEP_SHA_256",
    }
}

fn wrap_to(public_key: &[u8], algorithm: &str, material: &SecretBytes) -> Result<String, Failure> {
    let algorithm = match algorithm {
        "RSAES_PKCS1_V1_5" => WrapAlg::RsaesPkcs1V15,
        "RSAES_OAEP_SHA_1" => WrapAlg::RsaesOaepSha1,
        "RSAES_OAEP_SHA_256" => WrapAlg::RsaesOaepSha256,
        "SM2PKE" => WrapAlg::Sm2Pke,
        "RSA_AES_KEY_WRAP_SHA_1" => WrapAlg::RsaAesKeyWrapSha1,
        "RSA_AES_KEY_WRAP_SHA_256" => WrapAlg::RsaAesKeyWrapSha256,
        other => return Err(Failure::Usage(format!("there is no wrapping algorithm {other}"))),
    };
    let wrapped = import::wrap_material(public_key, algorithm, material)
        .map_err(|error| Failure::Local(format!("the material cannot be wrapped: {error}")))?;
    Ok(STANDARD.encode(wrapped))
}

/// A key file: raw bytes, DER or PEM.
fn read(path: &Path) -> Result<SecretBytes, Failure> {
    let failed = |error: String| Failure::Local(format!("{}: {error}", path.display()));
    // Of full size from the start, so that no outgrown buffer keeps a copy.
    let mut bytes = Vec::with_capacity(17 * 1024);
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let read = file.take(MATERIAL_FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let file = SecretBytes::new(bytes);
    read.map_err(|error| failed(error.to_string()))?;
    if file.len() as u64 > MATERIAL_FILE_BYTES_MAX {
        return Err(failed("larger than 16 KiB, which no key is".into()));
    }
    pem::content(file).map_err(|error| failed(error.to_string()))
}
