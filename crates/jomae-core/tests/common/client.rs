//! A client that signs as the SDKs do, each way in turn.

use jomae_api::{
    error::{Origin, Refusal},
    sign::client::{SignRequest, SignedRequest, SigningKey},
    wire::{Header, Request},
};
use jomae_core::service::Reply;
use serde_json::{Value, json};

pub use jomae_api::sign::Scheme;

use super::{Credentials, HANGZHOU, World};

/// The answer's members, or its status and code.
pub type Answer = Result<Value, (u16, String)>;

/// A caller at a host.
#[derive(Clone, Copy)]
pub struct Client<'w> {
    world: &'w World,
    pub credentials: &'w Credentials,
    host: &'w str,
}

/// One of the ways in which SDKs send a request.
#[derive(Clone, Copy)]
struct Way {
    scheme: Scheme,
    method: &'static str,
    form: bool,
}

const WAYS: [Way; 4] = [
    Way { scheme: Scheme::Acs3HmacSha256, method: "POST", form: false },
    Way { scheme: Scheme::RpcV1HmacSha1, method: "GET", form: false },
    Way { scheme: Scheme::Acs3HmacSha256, method: "POST", form: true },
    Way { scheme: Scheme::RpcV1HmacSha1, method: "POST", form: true },
];

impl<'w> Client<'w> {
    pub fn new(world: &'w World, credentials: &'w Credentials) -> Self {
        Self { world, credentials, host: HANGZHOU }
    }

    #[must_use]
    pub fn at(self, host: &'w str) -> Self {
        Self { host, ..self }
    }

    #[must_use]
    pub fn with(self, credentials: &'w Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Signs and sends; the answer is checked for what every answer must be.
    pub fn reply(&self, action: &str, params: &[(&str, &str)]) -> Reply {
        let nonce = self.world.nonce();
        let turn = nonce.bytes().last().map_or(0, usize::from);
        // XML is asked for by a parameter, which v1 clients send by themselves.
        let ways = if params.iter().any(|(name, _)| *name == "Format") { &WAYS[..1] } else { &WAYS[..] };
        let way = ways[turn % ways.len()];
        self.reply_to(&self.sign(way, action, params, &nonce), way.method)
    }

    pub fn reply_to(&self, signed: &SignedRequest, method: &str) -> Reply {
        let mut headers: Vec<_> =
            signed.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        headers.push(Header { name: "user-agent", value: b"tests/1" });
        let request = Request { method, path: "/", query: &signed.query, headers: &headers, body: &signed.body };
        self.world.send(&request)
    }

    /// As the newest SDKs sign.
    pub fn signed(&self, action: &str, params: &[(&str, &str)], nonce: &str) -> SignedRequest {
        self.sign(WAYS[0], action, params, nonce)
    }

    fn sign(&self, way: Way, action: &str, params: &[(&str, &str)], nonce: &str) -> SignedRequest {
        let (query, form) = if way.form { (&[][..], params) } else { (params, &[][..]) };
        let request = SignRequest {
            scheme: way.scheme,
            access_key_id: &self.credentials.id,
            key: SigningKey::Secret(&self.credentials.secret),
            security_token: self.credentials.token.as_deref(),
            action,
            version: jomae_api::actions::find(action).map_or(jomae_api::API_VERSION, |spec| spec.api().version()),
            host: self.host,
            method: way.method,
            params: query,
            form,
            date: &self.world.timestamp(),
            nonce,
            region: "cn-hangzhou",
        };
        request.sign().unwrap()
    }

    pub fn call(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        let reply = self.reply(action, params);
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        let members = body.as_object_mut().unwrap();
        assert_eq!(members.remove("RequestId"), Some(json!(reply.request_id)), "{action}");
        assert!(reply.outcome.action.is_none_or(|named| named == action), "{action}");
        if reply.status == 200 {
            assert!(reply.outcome.refusal.is_none() && reply.outcome.fault.is_none(), "{action}");
            return Ok(body);
        }
        let refusal = reply.outcome.refusal.unwrap();
        // Where in a policy the mistake is differs from call to call.
        let same = |declared: &Refusal| std::mem::discriminant(declared) == std::mem::discriminant(&refusal);
        let declared = jomae_api::actions::find(action).is_none_or(|spec| spec.refusals().iter().any(same));
        assert!(declared || any_action_gives(refusal), "{action} does not declare {refusal:?}");
        assert_eq!(members["Code"], refusal.code());
        assert_eq!(reply.status, refusal.status());
        if let Some(status) = members.get("HttpStatus") {
            assert_eq!(status, reply.status);
        }
        Err((reply.status, refusal.code().to_owned()))
    }

    /// The members of an answer that must be a success.
    #[track_caller]
    pub fn ok(&self, action: &str, params: &[(&str, &str)]) -> Value {
        self.call(action, params).unwrap_or_else(|refused| panic!("{action} {params:?}: {refused:?}"))
    }

    /// As [`Client::ok`], of an action that answers with nothing but the request's ID.
    #[track_caller]
    pub fn done(&self, action: &str, params: &[(&str, &str)]) {
        assert_eq!(self.ok(action, params), json!({}), "{action}");
    }

    /// Asserts a refusal: `"<status> <code>"`.
    #[track_caller]
    pub fn refused(&self, action: &str, params: &[(&str, &str)], expected: &str) {
        assert_eq!(code_of(&self.call(action, params)), expected, "{action} {params:?}");
    }

    /// A new key's ID.
    pub fn key(&self, params: &[(&str, &str)]) -> String {
        self.ok("CreateKey", params)["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }

    /// `KeyMetadata` as `DescribeKey` gives it.
    #[track_caller]
    pub fn describe(&self, key: &str) -> Value {
        self.ok("DescribeKey", &[("KeyId", key)])["KeyMetadata"].clone()
    }

    #[track_caller]
    pub fn state(&self, key: &str) -> String {
        self.describe(key)["KeyState"].as_str().unwrap().to_owned()
    }

    /// The ciphertext of `aGVsbG8=` under a key.
    #[track_caller]
    pub fn encrypt(&self, key: &str) -> String {
        let answer = self.ok("Encrypt", &[("KeyId", key), ("Plaintext", HELLO)]);
        answer["CiphertextBlob"].as_str().unwrap().to_owned()
    }

    /// Asserts that a ciphertext of [`Client::encrypt`] opens.
    #[track_caller]
    pub fn decrypts(&self, blob: &str) {
        assert_eq!(self.ok("Decrypt", &[("CiphertextBlob", blob)])["Plaintext"], HELLO);
    }
}

/// Base64 of `hello`.
pub const HELLO: &str = "aGVsbG8=";

/// Refusals that no action declares.
fn any_action_gives(refusal: Refusal) -> bool {
    let dry_run = matches!(refusal, Refusal::DryRunWouldSucceed | Refusal::DryRunInvalid | Refusal::DryRunDenied);
    refusal.row().origin == Origin::Gateway || dry_run || refusal.is_kms_of_every_call()
}

/// `"<status> <code>"`, or `"200"`.
pub fn code_of(answer: &Answer) -> String {
    match answer {
        Ok(_) => "200".to_owned(),
        Err((status, code)) => format!("{status} {code}"),
    }
}
