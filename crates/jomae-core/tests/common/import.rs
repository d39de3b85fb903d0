//! The caller's side of bringing a key: wrapping material.

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    import::{WrapAlg, wrap_material},
    secret::SecretBytes,
};

use super::{Answer, Client};

/// What `GetParametersForImport` gave.
pub struct Parameters {
    pub token: String,
    pub public_key: Vec<u8>,
    pub algorithm: WrapAlg,
}

impl Parameters {
    /// Material, wrapped, as Base64.
    pub fn wrap(&self, material: &[u8]) -> String {
        let material = SecretBytes::new(material.to_vec());
        STANDARD.encode(wrap_material(&self.public_key, self.algorithm, &material).unwrap())
    }

    /// Wraps and imports, with more parameters.
    pub fn import(&self, client: Client<'_>, key: &str, material: &[u8], more: &[(&str, &str)]) -> Answer {
        self.import_wrapped(client, key, &self.wrap(material), more)
    }

    /// Imports what is wrapped already.
    pub fn import_wrapped(&self, client: Client<'_>, key: &str, wrapped: &str, more: &[(&str, &str)]) -> Answer {
        let params = [("KeyId", key), ("ImportToken", &self.token), ("EncryptedKeyMaterial", wrapped)];
        client.call("ImportKeyMaterial", &[&params, more].concat())
    }
}

/// Asks for a wrapping key.
#[track_caller]
pub fn parameters(client: Client<'_>, key: &str, spec: &str, algorithm: &str) -> Parameters {
    let params = [("KeyId", key), ("WrappingKeySpec", spec), ("WrappingAlgorithm", algorithm)];
    let answer = client.ok("GetParametersForImport", &params);
    let algorithm = match algorithm {
        "RSAES_PKCS1_V1_5" => WrapAlg::RsaesPkcs1V15,
        "RSAES_OAEP_SHA_1" => WrapAlg::RsaesOaepSha1,
        "RSAES_OAEP_SHA_256" => WrapAlg::RsaesOaepSha256,
        "SM2PKE" => WrapAlg::Sm2Pke,
        "RSA_AES_KEY_WRAP_SHA_1" => WrapAlg::RsaAesKeyWrapSha1,
        "RSA_AES_KEY_WRAP_SHA_256" => WrapAlg::RsaAesKeyWrapSha256,
        other => panic!("{other}"),
    };
    let public_key = STANDARD.decode(answer["PublicKey"].as_str().unwrap()).unwrap();
    Parameters { token: answer["ImportToken"].as_str().unwrap().to_owned(), public_key, algorithm }
}

/// An EXTERNAL key with this material.
#[track_caller]
pub fn imported(client: Client<'_>, params: &[(&str, &str)], material: &[u8]) -> String {
    let key = client.key(&[params, &[("Origin", "EXTERNAL")]].concat());
    // Of the ways that carry any material the quickest.
    parameters(client, &key, "EC_SM2", "SM2PKE").import(client, &key, material, &[]).unwrap();
    key
}

/// A key of a caller's own RSA key, for this usage: RSA is slow to generate.
#[track_caller]
pub fn imported_rsa(client: Client<'_>, usage: &str) -> String {
    let pkcs8 = own_rsa_key().to_pkcs8().unwrap();
    imported(client, &[("KeySpec", "RSA_2048"), ("KeyUsage", usage)], pkcs8.expose())
}

/// A caller's own SM2 key, one for all tests.
pub fn own_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(AsymSpec::EcSm2).unwrap())
}

/// A caller's own RSA key, one for all tests.
pub fn own_rsa_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(AsymSpec::Rsa2048).unwrap())
}
