//! Requests captured from the official clients, and damaged copies of them: every valid one must verify, every other
//! one must be refused with exactly the expected status and code.

#![expect(clippy::unwrap_used, reason = "a test; the lint does not see that its helpers are tests too")]
#![expect(clippy::disallowed_methods, reason = "a test reads its vectors from files; the crate itself must not")]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jomae_api::error::Refusal;
use jomae_api::sign::{Credential, Presented, Scheme, SigningSecret, check_time};
use jomae_api::wire::{Header, Params, Request};
use jomae_crypto::secret::SecretBytes;
use serde::Deserialize;

/// File, number of cases, number of valid ones: so that no case is lost.
const FILES: [(&str, usize, usize); 15] = [
    ("node-kms20160120", 15, 3),
    ("node-openapi-client-acs3", 18, 3),
    ("node-pop-core", 15, 3),
    ("python-sdk-core-v1", 17, 5),
    ("python-tea-acs3", 20, 5),
    ("python-tea-acs3-2.4.0", 17, 3),
    ("python-tea-acs3-rsa", 17, 3),
    ("python-tea-acs3-sm3", 18, 3),
    ("python-tea-acs3-sts", 18, 3),
    ("python-tea-acs3-url-endpoint", 18, 3),
    ("python-tea-acs4", 18, 3),
    ("python-tea-acs4-sm3", 18, 3),
    ("python-tea-rpc-1.0.1", 15, 3),
    ("python-tea-rpc-v1", 15, 3),
    ("python-tea-v1-sts", 15, 3),
];

#[derive(Deserialize)]
struct File {
    credentials: Vec<Key>,
    public_key_pem: Option<String>,
    skew_seconds: u64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Key {
    access_key_id: String,
    access_key_secret: String,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    now: i64,
    request: Captured,
    valid: bool,
    expect: Option<Expect>,
    send_first: Option<String>,
    string_to_sign: Option<String>,
    canonicalized_query: Option<String>,
    canonical_request: Option<String>,
    algorithm: Option<String>,
    access_key_id: Option<String>,
    decoded_parameters: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Captured {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Deserialize)]
struct Expect {
    http: u16,
    code: String,
}

/// What the server holds.
struct Server {
    keys: BTreeMap<String, Held>,
    nonces: HashSet<(String, String)>,
}

enum Held {
    Secret(Box<SigningSecret>),
    RsaPublicKey(Vec<u8>),
}

fn secret(text: &str) -> SigningSecret {
    SigningSecret::new(SecretBytes::new(text.as_bytes().to_vec()))
}

impl Server {
    fn new(file: &File) -> Self {
        let mut keys = BTreeMap::new();
        for key in &file.credentials {
            keys.insert(key.access_key_id.clone(), Held::Secret(Box::new(secret(&key.access_key_secret))));
        }
        if let Some(pem) = &file.public_key_pem {
            let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            keys.insert("testAccessKeyId".to_owned(), Held::RsaPublicKey(STANDARD.decode(base64).unwrap()));
        }
        Self { keys, nonces: HashSet::new() }
    }

    /// The gateway's order: form, time, key, signature, nonce.
    fn answer(&mut self, case: &Case) -> Result<(), Refusal> {
        let headers: Vec<Header<'_>> =
            case.request.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        let request = Request {
            method: &case.request.method,
            path: &case.request.path,
            query: &case.request.query,
            headers: &headers,
            body: case.request.body.as_bytes(),
        };
        let params = Params::parse(request.query, request.form())?;
        let presented = Presented::read(&request, &params)?;
        compare_texts(case, &presented, &params);
        check_time(presented.timestamp_text, case.now)?;
        let credential = match self.keys.get(presented.access_key_id) {
            Some(Held::Secret(secret)) => Credential::Secret(secret),
            Some(Held::RsaPublicKey(spki)) => Credential::RsaPublicKey(spki),
            None => {
                assert!(presented.verify(Credential::Secret(&secret("nobody's"))).is_err());
                return Err(Refusal::AccessKeyNotFound);
            }
        };
        presented.verify(credential)?;
        if !self.nonces.insert((presented.access_key_id.to_owned(), presented.nonce.to_owned())) {
            return Err(Refusal::NonceUsed);
        }
        Ok(())
    }
}

/// Our intermediate texts against those of the independent implementation that made the vectors.
fn compare_texts(case: &Case, presented: &Presented<'_>, params: &Params<'_>) {
    let name = &case.name;
    let covered = presented.string_to_sign();
    if let Some(canonical_request) = &case.canonical_request {
        assert_eq!(&covered, canonical_request, "{name}");
        assert_eq!(presented.digest_to_sign(), case.string_to_sign, "{name}");
    } else if let Some(string_to_sign) = &case.string_to_sign {
        assert_eq!(&covered, string_to_sign, "{name}");
        assert_eq!(presented.digest_to_sign(), None, "{name}");
    }
    if let Some(canonicalized_query) = &case.canonicalized_query {
        let encoded = covered.splitn(3, '&').nth(2).unwrap();
        let decoding = format!("text={encoded}");
        assert_eq!(Params::parse(&decoding, None).unwrap().get("text"), Some(canonicalized_query.as_str()), "{name}");
    }
    if let Some(algorithm) = &case.algorithm {
        assert_eq!(presented.scheme.name(), algorithm, "{name}");
    }
    if let Some(access_key_id) = &case.access_key_id {
        assert_eq!(presented.access_key_id, access_key_id, "{name}");
    }
    if let Some(expected) = &case.decoded_parameters {
        let without_signature = params.iter().filter(|(name, _)| *name != "Signature");
        let decoded: BTreeMap<String, String> =
            without_signature.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(&decoded, expected, "{name}");
    }
}

fn read(file: &str) -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{file}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_case_of_every_client() {
    for (name, case_count, valid_count) in FILES {
        let file = read(name);
        assert_eq!(file.cases.len(), case_count, "{name}");
        assert_eq!(file.cases.iter().filter(|case| case.valid).count(), valid_count, "{name}");
        assert_eq!(file.skew_seconds, jomae_api::sign::SKEW_SECS_MAX, "{name}");
        for case in &file.cases {
            let label = format!("{name}: {}", case.name);
            let mut server = Server::new(&file);
            match case.name.as_str() {
                "wrong-secret" => {
                    server.keys.insert("testAccessKeyId".to_owned(), Held::Secret(Box::new(secret("another"))));
                }
                "unknown-access-key" => server.keys.clear(),
                _ => {}
            }
            if let Some(first) = &case.send_first {
                let first = file.cases.iter().find(|case| &case.name == first).unwrap();
                assert_eq!(server.answer(first), Ok(()), "{label}");
            }
            let answer = server.answer(case);
            if case.valid {
                assert_eq!(answer, Ok(()), "{label}");
                assert!(case.string_to_sign.is_some() && case.decoded_parameters.is_some(), "{label}");
            } else {
                let expect = case.expect.as_ref().unwrap();
                let refusal = answer.expect_err(&label);
                assert_eq!((refusal.status(), refusal.code()), (expect.http, expect.code.as_str()), "{label}");
            }
        }
    }
}

#[test]
fn every_vector_file_is_listed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut found: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let mut listed: Vec<String> = FILES.iter().map(|(name, _, _)| format!("{name}.json")).collect();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn every_scheme_but_one_has_a_captured_client() {
    let mut seen = HashSet::new();
    for (name, _, _) in FILES {
        seen.extend(read(name).cases.into_iter().filter_map(|case| case.algorithm));
    }
    let missing: Vec<Scheme> = Scheme::ALL.into_iter().filter(|scheme| !seen.contains(scheme.name())).collect();
    assert_eq!(missing, [Scheme::RpcV1RsaSha256]);
}
